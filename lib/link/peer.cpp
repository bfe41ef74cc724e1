#include "link/peer.hpp"

#include <mutex>
#include <utility>

#include "link/far_sinks.hpp"
#include "link/peer_return.hpp"

namespace midplane::inline v0::link {

Peer::Peer(Transport& transport_used, ConnectionId connection_id, const LinkOptions& options, Clock& clock) noexcept
    : transport{transport_used},
      connection{connection_id},
      frame_bytes_max{options.frame_bytes_max()},
      heard_at{clock.now().nanoseconds},
      heartbeat_at{(clock.now() + options.heartbeat).nanoseconds},
      options_{options},
      clock_{clock} {
  // A greeting is written in the oldest words we speak; every other version repeats its layout.
  head_.version = options.version_min;
  head_.incarnation = options.incarnation;
}

Peer::~Peer() {
  if (returns_) returns_->unref();
}

bool Peer::room_for(std::size_t frame_bytes) const noexcept {
  return queued_messages_ < options_.queue_messages_max && queued_bytes_ + frame_bytes <= options_.queue_bytes_max;
}

Put Peer::put(const wire::Record& record, FarTotals* totals, std::uint64_t request, bool bounded) noexcept {
  if (!open_) return Put::gone;
  // Frames leave in the order they were offered: behind one that waits, all wait.
  if (bounded && !queue_.empty() && !room_for(record.payload.size())) return Put::full;
  builder_.begin(head_);
  if (record.payload.size() > frame_bytes_max) return Put::too_large;
  if (!builder_.add(record)) return Put::no_memory;
  if (builder_.bytes() > frame_bytes_max) return Put::too_large;
  const std::span<const std::byte> frame = builder_.finish();
  if (queue_.empty()) {
    const Sent sent = transport.send(connection, frame);
    if (sent == Sent::taken) return Put::sent;
    if (sent == Sent::gone) return Put::gone;
  }
  if (bounded ? !room_for(frame.size()) : control_bytes_ + frame.size() > control_bytes_max) return Put::full;
  try {
    queue_.push_back({wire::Body(frame.begin(), frame.end()), totals, request, bounded});
  } catch (...) {
    return Put::no_memory;
  }
  (bounded ? queued_bytes_ : control_bytes_) += frame.size();
  if (bounded) ++queued_messages_;
  return Put::waiting;
}

void Peer::forget_waiting(const Waiting& waiting) noexcept {
  (waiting.bounded ? queued_bytes_ : control_bytes_) -= waiting.frame.size();
  if (waiting.bounded) --queued_messages_;
}

bool Peer::send_control(const wire::Record& record) noexcept {
  Put put_to{};
  {
    const std::lock_guard lock{flag_};
    put_to = put(record, nullptr, 0, false);
  }
  if (put_to == Put::sent || put_to == Put::waiting) return true;
  // Control that can not be kept leaves the two sides with different ideas of the link: better none. Not ended here,
  // because `disconnect` must not be called under the locks that a caller may hold.
  if (put_to != Put::gone) doomed = true;
  return false;
}

void Peer::writable() noexcept {
  const std::lock_guard lock{flag_};
  while (open_ && !queue_.empty()) {
    Waiting& first = queue_.front();
    if (transport.send(connection, first.frame) != Sent::taken) return;
    if (first.totals) FarTotals::raise(first.totals->sent);
    if (first.request != 0) {
      if (const auto asker = asked_.find(first.request); asker != asked_.end()) asker->second.left = true;
    }
    forget_waiting(first);
    queue_.pop_front();
  }
}

void Peer::heartbeat() noexcept {
  try {
    const std::lock_guard lock{flag_};
    // What waits is itself a sign of life when it leaves, and the transport takes nothing now.
    if (!open_ || !queue_.empty()) return;
    std::vector<wire::LastNumberBody> last;
    last.reserve(offered_since_heartbeat_.size());
    for (TopicSink* sink : offered_since_heartbeat_) {
      last.push_back({sink->name_, sink->number_});
      sink->noted_ = false;
    }
    offered_since_heartbeat_.clear();
    const wire::Body body = wire::encode(std::span<const wire::LastNumberBody>{last});
    static_cast<void>(put({.type = wire::RecordType::heartbeat, .payload = body}, nullptr, 0, false));
  } catch (...) {
    // Without memory this one is left out; two more may be missed.
  }
}

bool Peer::idle() noexcept {
  const std::lock_guard lock{flag_};
  return queue_.empty();
}

std::uint64_t Peer::waiting(const FarTotals& totals) noexcept {
  const std::lock_guard lock{flag_};
  std::uint64_t count = 0;
  for (const Waiting& one : queue_) count += one.totals == &totals ? 1 : 0;
  return count;
}

void Peer::end(const Error& why, DropReason reason) noexcept {
  std::deque<Waiting> queue;
  std::map<std::string, std::shared_ptr<TopicSink>, std::less<>> topics;
  std::map<std::string, std::shared_ptr<ServiceSink>, std::less<>> services;
  std::unordered_map<std::uint64_t, Asker> asked;
  std::unordered_map<std::uint64_t, Served> served;
  {
    const std::lock_guard lock{flag_};
    open_ = false;
    queue.swap(queue_);
    topics.swap(topics_);
    services.swap(services_);
    asked.swap(asked_);
    served.swap(served_);
    offered_since_heartbeat_.clear();
    for (const Waiting& one : queue) {
      if (one.totals) one.totals->drop(reason);
    }
  }
  for (const auto& [request, asker] : asked) {
    asker.address->fail(asker.correlation, why.with_fate(asker.left ? Fate::maybe_executed : Fate::not_started));
    asker.address->unref();
  }
  for (auto& [request, one] : served) {
    if (one.gave_up) one.gave_up();
  }
}

Result<std::uint32_t> Peer::assign(wire::NameBody given) noexcept {
  if (names_given_ >= names_per_link_max)
    return Error{ErrorCode::too_large, "this link has given all its names; publish on fewer topics"};
  given.id = names_given_ + 1;
  const wire::Body body = wire::encode(given);
  if (body.empty()) return Error{ErrorCode::no_memory, "no memory for a name of the link"};
  const Put put_to = put({.type = wire::RecordType::names, .payload = body}, nullptr, 0, false);
  if (put_to == Put::gone) return Error{ErrorCode::peer_lost, "the connection has ended"};
  if (put_to != Put::sent && put_to != Put::waiting) return Error{ErrorCode::no_memory, "no memory for a name of the link"};
  return ++names_given_;
}

Result<std::shared_ptr<TopicSink>> Peer::topic_sink(const wire::NameBody& topic,
                                                    std::shared_ptr<FarTotals> totals) noexcept {
  try {
    const std::lock_guard lock{flag_};
    if (const auto found = topics_.find(topic.text); found != topics_.end()) return found->second;
    // Room first: a name that was told but has no sink would be given twice.
    offered_since_heartbeat_.reserve(topics_.size() + 1);
    auto& place = topics_[topic.text];
    auto id = assign(topic);
    if (id) place = std::make_shared<TopicSink>(shared_from_this(), std::move(totals), *id);
    if (place) return place;
    topics_.erase(topic.text);
    return std::move(id).error();
  } catch (...) {
    return Error{ErrorCode::no_memory, "no memory for a far topic"};
  }
}

Result<std::shared_ptr<ServiceSink>> Peer::service_sink(const wire::NameBody& service,
                                                        std::shared_ptr<FarTotals> totals) noexcept {
  try {
    const std::lock_guard lock{flag_};
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

std::shared_ptr<TopicSink> Peer::find_topic(std::string_view text) noexcept {
  const std::lock_guard lock{flag_};
  const auto found = topics_.find(text);
  return found == topics_.end() ? nullptr : found->second;
}

std::shared_ptr<ServiceSink> Peer::find_service(std::string_view text) noexcept {
  const std::lock_guard lock{flag_};
  const auto found = services_.find(text);
  return found == services_.end() ? nullptr : found->second;
}

Peer::Asker Peer::answered(std::uint64_t request) noexcept {
  const std::lock_guard lock{flag_};
  const auto found = asked_.find(request);
  if (found == asked_.end()) return {};
  const Asker asker = found->second;
  asked_.erase(found);
  return asker;
}

bool Peer::open_served(std::uint64_t request) noexcept {
  try {
    const std::lock_guard lock{flag_};
    if (!open_ || served_.size() >= options_.requests_max) return false;
    if (!returns_) returns_ = new PeerReturn{weak_from_this()};
    return served_.try_emplace(request).second;
  } catch (...) {
    return false;
  }
}

void Peer::cancel_served(std::uint64_t request) noexcept {
  Function<void()> gave_up;
  {
    const std::lock_guard lock{flag_};
    const auto found = served_.find(request);
    if (found == served_.end()) return;
    found->second.cancelled = true;
    gave_up = std::move(found->second.gave_up);
  }
  if (gave_up) gave_up();
}

}  // namespace midplane::inline v0::link
