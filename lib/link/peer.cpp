#include "link/peer.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/defect.hpp"
#include "base/futex.hpp"
#include "link/far_topic_sink.hpp"
#include "link/peer_return.hpp"
#include "link/service_sink.hpp"

namespace midplane::inline v0::link {

Peer::Peer(Transport& transport_used, ConnectionId connection_id, std::uint64_t given, const LinkOptions& options,
           Clock& clock)
    : transport{transport_used},
      connection{connection_id},
      serial{given},
      remote{std::make_shared<Remote>(wire::Incarnation{}, PeerId::none, 0)},
      heard_at{clock.now().nanoseconds},
      heartbeat_at{(clock.now() + options.heartbeat).nanoseconds},
      options_{options},
      clock_{clock},
      outgoing_{transport_used, connection_id, options, clock},
      intake_{options.window_bytes, options.window_records},
      asked_max_{options.requests_max} {}

Peer::~Peer() {
  if (returns_) returns_->unref();
}

void Peer::agree(std::uint16_t version) noexcept {
  const std::lock_guard lock{remote->flag};
  outgoing_.speak(version);
}

bool Peer::send_locked(const wire::Record& record) noexcept {
  const Put put = open_ ? outgoing_.control(record) : Put::gone;
  if (put == Put::sent) return true;
  // Control that can not be kept leaves the two sides with different ideas of the link: better none. Not ended here,
  // because `disconnect` must not be called under the locks that a caller may hold.
  if (put != Put::gone) doomed = true;
  return false;
}

bool Peer::send_control(const wire::Record& record) noexcept {
  const std::lock_guard lock{remote->flag};
  return send_locked(record);
}

void Peer::pump() noexcept {
  auto& waiting = remote->waiting;
  while (!waiting.empty()) {
    // The oldest first over all topics, so that a Publisher's order holds; a topic whose subscriber has no room is
    // passed over.
    bool moved = false;
    for (auto next = waiting.begin(); next != waiting.end();) {
      FarTopicSink& sink = *next->second;
      const auto after = std::next(next);
      const std::uint64_t up_to = after == waiting.end() ? UINT64_MAX : after->first;
      const std::uint64_t before = sink.first_ordinal();
      const bool all = sink.pump(*this, up_to);
      moved |= sink.is_empty() || sink.first_ordinal() != before;
      if (all && moved) break;  // the order has changed: begin anew
      if (!outgoing_.has_room(1)) return;
      if (moved) break;
      next = after;
    }
    if (!moved) return;
  }
}

void Peer::go_on() noexcept {
  if (!open_) return;
  pump();
  if (std::exchange(remote->room_wanted, false)) remote->room.wake_all();
}

namespace {
/// Runs without the flag what was collected under it.
void run_all(std::vector<Function<void()>>& ready) noexcept {
  if (!ready.empty()) base::WakesLater::now();  // the user's code may wait for who sleeps
  for (auto& one : ready) one();
}
}  // namespace

bool Peer::may_send_item(const Served& served, std::size_t bytes) const noexcept {
  return served.sent_items - served.taken_items < served.stream_items && outgoing_.has_room(bytes);
}

void Peer::collect_writable(std::vector<Function<void()>>& ready) noexcept {
  if (streams_waiting_ == 0) return;
  for (auto& [request, served] : served_) {
    if (!served.writable || !may_send_item(served, served.wanted_bytes)) continue;
    ready.push_back(std::move(served.writable));
    served.writable = nullptr;
    --streams_waiting_;
  }
}

void Peer::writable() noexcept {
  std::vector<Function<void()>> ready;
  {
    const std::lock_guard lock{remote->flag};
    if (!open_) return;
    outgoing_.writable();
    go_on();
    collect_writable(ready);
  }
  run_all(ready);
}

bool Peer::granted(std::uint64_t bytes, std::uint32_t records) noexcept {
  std::vector<Function<void()>> ready;
  bool lives = false;
  {
    const std::lock_guard lock{remote->flag};
    if (!open_) return false;
    outgoing_.granted(bytes, records);
    lives = outgoing_.asks_life && bytes >= life_at_;
    if (lives) outgoing_.asks_life = false;
    go_on();
    collect_writable(ready);
  }
  run_all(ready);
  return lives;
}

void Peer::subscription_granted(std::uint32_t id, std::uint64_t bytes, std::uint32_t messages) noexcept {
  const std::lock_guard lock{remote->flag};
  const auto found = remote->subscriptions.find(id);
  if (!open_ || found == remote->subscriptions.end()) return;
  FarSubscription& one = *found->second;
  // Positions only grow; more than was sent is never taken.
  const std::uint32_t news = messages - static_cast<std::uint32_t>(one.taken_messages);
  if (news <= UINT32_MAX / 2)
    one.taken_messages += std::min<std::uint64_t>(news, one.sent_messages - one.taken_messages);
  if (bytes > one.taken_bytes) one.taken_bytes = std::min(bytes, one.sent_bytes);
  go_on();
}

void Peer::items_granted(std::uint64_t request, std::uint32_t items) noexcept {
  std::vector<Function<void()>> ready;
  {
    const std::lock_guard lock{remote->flag};
    const auto found = served_.find(request);
    if (found == served_.end()) return;
    Served& served = found->second;
    const std::uint32_t news = items - static_cast<std::uint32_t>(served.taken_items);
    if (news <= served.sent_items - served.taken_items) served.taken_items += news;
    collect_writable(ready);
  }
  run_all(ready);
}

void Peer::grant_locked() noexcept {
  intake_.tell();
  send_locked({.type = wire::RecordType::grant,
               .number = static_cast<std::uint32_t>(intake_.records()),
               .mark = intake_.bytes()});
}

void Peer::cork() noexcept {
  const std::lock_guard lock{remote->flag};
  outgoing_.cork();
}

/// What found the corked frame full can go on.
void Peer::uncork() noexcept {
  std::vector<Function<void()>> ready;
  {
    const std::lock_guard lock{remote->flag};
    outgoing_.uncork();
    if (!open_) return;
    pump();
    collect_writable(ready);
    if (std::exchange(remote->room_wanted, false)) remote->room.wake_all();
  }
  run_all(ready);
}

void Peer::took(std::size_t bytes, std::uint32_t data_records, bool wants_grant) noexcept {
  intake_.took(bytes, data_records);
  if (!wants_grant && !intake_.is_due()) return;
  const std::lock_guard lock{remote->flag};
  grant_locked();
}

void Peer::heartbeat() noexcept {
  try {
    const std::lock_guard lock{remote->flag};
    if (!open_) return;
    std::vector<wire::LastNumberBody> last;
    std::vector<FarTopicSink*> again;
    last.reserve(offered_since_heartbeat_.size());
    for (FarTopicSink* sink : offered_since_heartbeat_) {
      const std::uint64_t settled = sink->last_settled(*this);
      if (settled != 0 && sink->name_on(*this) != 0) last.push_back({sink->name_on(*this), settled});
      // What still waits is told with the next one.
      sink->noted_ = settled != sink->number_;
      if (sink->noted_) again.push_back(sink);
    }
    offered_since_heartbeat_.swap(again);
    if (base::defect(base::Defect::heartbeat_without_numbers)) last.clear();
    const wire::Body body = wire::encode(std::span<const wire::LastNumberBody>{last});
    send_locked({.type = wire::RecordType::heartbeat, .payload = body});
    if (intake_.has_news()) grant_locked();
  } catch (...) {
    // Without memory this one is left out; two more may be missed.
  }
}

bool Peer::idle() noexcept {
  const std::lock_guard lock{remote->flag};
  // What the transport has written may still be lost there: ZeroMQ throws away what it has not read when the line ends.
  if (!outgoing_.is_idle() || !remote->waiting.empty()) return false;
  return !open_ || (outgoing_.asks_grant ? outgoing_.window.unknown_bytes() : outgoing_.window.unknown_records()) == 0;
}

void Peer::farewell(const wire::Record& record) noexcept {
  const std::lock_guard lock{remote->flag};
  if (!open_) return;
  outgoing_.begin_farewell();
  try {
    // What still waits is lost: here its number is told, too.
    std::vector<wire::LastNumberBody> last;
    for (const FarTopicSink* sink : offered_since_heartbeat_) {
      if (sink->number_ != 0 && sink->name_on(*this) != 0) last.push_back({sink->name_on(*this), sink->number_});
    }
    const wire::Body body = wire::encode(std::span<const wire::LastNumberBody>{last});
    if (!last.empty()) send_locked({.type = wire::RecordType::heartbeat, .payload = body});
  } catch (const std::bad_alloc&) {
    // Then who is told of the end has to expect that something is missing.
  }
  send_locked(record);
}

void Peer::ask_for_grant() noexcept {
  {
    const std::lock_guard lock{remote->flag};
    if (!open_) return;
    outgoing_.asks_grant = true;  // also in what still leaves while it is waited for
    if (outgoing_.window.unknown_bytes() == 0) return;
  }
  heartbeat();
}

void Peer::ask_for_life() noexcept {
  {
    const std::lock_guard lock{remote->flag};
    if (!open_) return;
    outgoing_.asks_life = true;
    life_at_ = outgoing_.window.packed_bytes() + 1;
  }
  heartbeat();
}

void Peer::end(const Error& why, DropReason reason) noexcept {
  std::map<std::string, std::shared_ptr<ServiceSink>, std::less<>> services;
  std::unordered_map<std::uint64_t, Asker> asked;
  std::unordered_map<std::uint64_t, Served> served;
  std::uint64_t given = 0;
  {
    const std::lock_guard lock{remote->flag};
    open_ = false;
    services.swap(services_);
    asked.swap(asked_);
    served.swap(served_);
    for (FarTopicSink* sink : offered_since_heartbeat_) sink->noted_ = false;
    offered_since_heartbeat_.clear();
    if (remote->peer == this) {
      remote->peer = nullptr;
      // Nothing waits for a peer that is away.
      for (const auto& [name, sink] : remote->topics) sink->drop_waiting(reason);
      for (const auto& [id, subscription] : remote->subscriptions) subscription->waits = false;
    }
    given = outgoing_.given_bytes();
    for (auto& [request, asker] : asked) {
      if (outgoing_.take_back(request)) asker.packed_at = UINT64_MAX;
    }
    outgoing_.end(reason);
    remote->room.wake_all();
  }
  for (const auto& [request, asker] : asked) {
    asker.address->fail(asker.correlation, why.with_fate(asker.packed_at > given ? Fate::not_started : Fate::maybe_executed));
    asker.address->unref();
  }
  for (auto& [request, one] : served) {
    if (one.writable) one.writable();
    if (one.gave_up) one.gave_up();
  }
}

Result<std::uint32_t> Peer::assign(wire::NameBody given) noexcept {
  if (!has_names_left())
    return Error{ErrorCode::too_large, "this link has given all its names; publish on fewer topics"};
  given.id = names_given_ + 1;
  const wire::Body body = wire::encode(given);
  if (body.empty()) return Error{ErrorCode::no_memory, "no memory for a name of the link"};
  if (!send_locked({.type = wire::RecordType::names, .payload = body}))
    return Error{ErrorCode::peer_lost, "the connection has ended"};
  return ++names_given_;
}

bool Peer::name_topic(FarTopicSink& sink, std::uint64_t next) noexcept try {
  const TypeInfo& type = sink.type_;
  const std::size_t needed = remote->topics.size() + 1;
  if (offered_since_heartbeat_.capacity() < needed) offered_since_heartbeat_.reserve(2 * needed);
  const auto id = assign({0, false, sink.topic_, {std::string{type.name}, type.fingerprint}, next, remote->series});
  if (!id) return false;
  sink.name_ = *id;
  sink.named_on_ = serial;
  return true;
} catch (...) {
  return false;
}

void Peer::tell_schema(const TypeInfo& ours, const wire::FarType& theirs) {
  if (ours.fingerprint == 0 || theirs.fingerprint == 0 || ours.fingerprint == theirs.fingerprint) return;
  if (schemas_told_.insert(ours.fingerprint).second)
    send_locked({.type = wire::RecordType::schema, .mark = ours.fingerprint, .payload = ours.bfbs});
}

void Peer::name_again(FarTopicSink& sink) noexcept {
  if (sink.number_ != 0) static_cast<void>(name_topic(sink, sink.number_ + 1));
}

bool Peer::note_offered(FarTopicSink& sink) noexcept try {
  offered_since_heartbeat_.push_back(&sink);
  return true;
} catch (...) {
  return false;
}

Result<std::shared_ptr<ServiceSink>> Peer::service_sink(const wire::NameBody& service,
                                                        std::shared_ptr<FarTotals> totals) noexcept {
  try {
    const std::lock_guard lock{remote->flag};
    if (const auto found = services_.find(service.text); found != services_.end()) return found->second;
    auto& place = services_[service.text];
    auto id = assign(service);
    if (id) place = std::make_shared<ServiceSink>(shared_from_this(), std::move(totals), *id);
    if (place) return place;
    services_.erase(service.text);
    return std::move(id).error();
  } catch (...) {
    return Error{ErrorCode::no_memory, "no memory for a far service"};
  }
}

std::shared_ptr<ServiceSink> Peer::find_service(std::string_view text) noexcept {
  const std::lock_guard lock{remote->flag};
  const auto found = services_.find(text);
  return found == services_.end() ? nullptr : found->second;
}

Peer::Asker Peer::answered(std::uint64_t request) noexcept {
  const std::lock_guard lock{remote->flag};
  const auto found = base::defect(base::Defect::reply_of_another) ? asked_.begin() : asked_.find(request);
  if (found == asked_.end()) return {};
  const Asker asker = found->second;
  asked_.erase(found);
  return asker;
}

Peer::Asker Peer::item_arrived(std::uint64_t request, std::uint32_t number) noexcept {
  const std::lock_guard lock{remote->flag};
  const auto found = asked_.find(request);
  if (found == asked_.end() || !found->second.is_stream || number != static_cast<std::uint32_t>(found->second.items + 1)) return {};
  ++found->second.items;
  found->second.address->ref();
  return found->second;
}

bool Peer::open_served(std::uint64_t request, std::uint32_t stream_items) noexcept {
  try {
    const std::lock_guard lock{remote->flag};
    if (!open_ || served_.size() >= options_.requests_max) return false;
    if (!returns_) returns_ = new PeerReturn{weak_from_this()};
    Served served;
    served.stream_items = stream_items;
    return served_.try_emplace(request, std::move(served)).second;
  } catch (...) {
    return false;
  }
}

void Peer::cancel_served(std::uint64_t request) noexcept {
  Function<void()> gave_up;
  Function<void()> writable;
  {
    const std::lock_guard lock{remote->flag};
    const auto found = served_.find(request);
    if (found == served_.end()) return;
    found->second.cancelled = true;
    gave_up = std::move(found->second.gave_up);
    if (found->second.writable) {
      writable = std::move(found->second.writable);
      found->second.writable = nullptr;
      --streams_waiting_;
    }
  }
  if (gave_up || writable) base::WakesLater::now();
  if (gave_up) gave_up();
  if (writable) writable();
}

}  // namespace midplane::inline v0::link
