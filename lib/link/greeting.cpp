/// From a connection to a link: hello both ways, refusals, one link per pair, and the first frames.

#include <algorithm>
#include <new>
#include <utility>

#include <midplane/names.hpp>

#include "link/links.hpp"

namespace midplane::inline v0::link {
namespace {

const Error duplicate_error{ErrorCode::duplicate, "this pair of buses is linked already"};
const Error self_error{ErrorCode::invalid_endpoint, "this address reaches the very bus that dials it; take it out of the peers"};

/// Under this name stand the messages of peers whose own is one too many to be kept.
constexpr std::string_view one_of_many = "(one of many peers)";

/// What a stranger calls itself, fit for logs and tables.
std::string printable(const std::string& name) {
  if (detail::check_name(name, false) == detail::NameFault::none) return name;
  return escape_token(name).substr(0, name_bytes_max);
}

}  // namespace

void Links::say_hello(Peer& peer) noexcept {
  const wire::Body body = wire::encode(wire::Hello{options_.bus, options_.version_min, options_.version_max,
                                                   options_.frame_bytes_max(),
                                                   static_cast<std::uint32_t>(options_.requests_max),
                                                   options_.heartbeat.count(), options_.window_bytes,
                                                   options_.window_records, options_.away_keep.count()});
  static_cast<void>(peer.send_control({.type = wire::RecordType::hello, .payload = body}));
}

void Links::greet(Peer& peer, wire::FrameReader& reader, const wire::Record& first) noexcept try {
  const wire::Incarnation theirs = reader.head().incarnation;
  {
    const std::lock_guard lock{mutex_};
    peer.info.incarnation = theirs;
    if (theirs == options_.incarnation) peer.info.name = options_.bus;
  }
  if (peer.info.dialled && theirs == options_.incarnation) return refused(peer, self_error);
  if (peer.info.dialled && first.type == wire::RecordType::refused) {
    const auto why = wire::decode_failure(first.payload);
    return refused(peer, why ? *why : Error{ErrorCode::malformed, "the peer refused without saying why"});
  }
  const auto hello = first.type == wire::RecordType::hello ? wire::decode_hello(first.payload) : std::nullopt;
  if (!hello || theirs == wire::Incarnation{}) {
    counters_.malformed_bodies.fetch_add(1, std::memory_order_relaxed);
    return drop_connection(peer, {ErrorCode::malformed, "the peer did not begin with a hello"});
  }
  {
    const std::lock_guard lock{mutex_};
    peer.info.name = printable(hello->bus);
    if (hello->frame_bytes_max >= frame_bytes_least)
      peer.outgoing().frame_bytes_max = std::min<std::size_t>(peer.outgoing().frame_bytes_max, hello->frame_bytes_max);
    peer.outgoing().window.set_bounds(hello->window_bytes, hello->window_records);
    peer.set_asked_max(hello->requests_max);
    if (!peer.info.dialled) peer.set_epoch(reader.head().epoch);
  }
  if (theirs == options_.incarnation) return refuse(peer, self_error);
  if (hello->frame_bytes_max != 0 && hello->frame_bytes_max < frame_bytes_least)
    return refuse(peer, Error{ErrorCode::too_large, "the peer takes only frames that are too small to talk"}.with(
                            std::to_string(hello->frame_bytes_max) + " bytes, at least " + std::to_string(frame_bytes_least)));
  const std::uint16_t common = std::min(options_.version_max, hello->version_max);
  if (std::max(options_.version_min, hello->version_min) > common) {
    const auto range = [](int from, int to) { return std::to_string(from) + " to " + std::to_string(to); };
    return refuse(peer, Error{ErrorCode::version_mismatch, "no wire version that both buses speak"}.with(
                            "here " + range(options_.version_min, options_.version_max) + ", there " +
                            range(hello->version_min, hello->version_max)));
  }
  std::shared_ptr<Peer> other;
  bool this_stays = true;
  {
    const std::lock_guard lock{mutex_};
    other = linked(theirs);
    this_stays = std::find(busy_.begin(), busy_.end(), theirs) == busy_.end();
    // Dialled by us, and theirs to us is still undecided: the one dialled by the smaller incarnation stays.
    if (other) this_stays = peer.info.dialled && other->phase == Phase::tentative && options_.incarnation < theirs;
    if (this_stays && other) other->phase = Phase::refusing;
    if (this_stays) peer.phase = peer.info.dialled ? Phase::establishing : Phase::tentative;
  }
  if (!this_stays) return refuse(peer, duplicate_error);
  if (other) refuse(*other, duplicate_error);
  // Our own hello is the last that is not written in the version of both.
  if (!peer.info.dialled) say_hello(peer);
  peer.agree(common);
  if (peer.info.dialled) establish(peer);
} catch (...) {
  drop_connection(peer, {ErrorCode::no_memory, "no memory for a new link"});
}

/// The other side ends the connection when it has read why; `fire` does when it never does.
void Links::refuse(Peer& peer, const Error& why) noexcept {
  const wire::Body body = wire::encode(why);
  static_cast<void>(peer.send_control({.type = wire::RecordType::refused, .payload = body}));
  note_refusal(peer, why);
}

void Links::refused(Peer& peer, const Error& why) noexcept {
  note_refusal(peer, why);
  if (!peer.closing.exchange(true)) peer.transport.disconnect(peer.connection);
}

void Links::note_refusal(Peer& peer, const Error& why) noexcept {
  counters_.refused.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock{mutex_};
    peer.phase = Phase::refusing;
    peer.heard_at = clock_.now().nanoseconds;
    peer.ended_by = why;
    for (const auto& target : targets_) {
      if (target->peer.get() != &peer) continue;
      // A duplicate is no refusal of the bus: it is there, over the other connection.
      if (why.code() == ErrorCode::duplicate) target->linked_to = peer.info.incarnation;
      else {
        target->state = PeerState::refused;
        target->not_reached = why;
      }
      if (peer.info.incarnation == options_.incarnation) target->never_again = true;
    }
  }
  if (why.code() != ErrorCode::duplicate) host_.peer_refused(peer.info, why);
  arm();
}

/// The remote behind this connection, known from an earlier one or new.
std::shared_ptr<Remote> Links::remember(Peer& peer) {
  const wire::Incarnation& incarnation = peer.info.incarnation;
  auto& remote = remotes_[incarnation];
  if (!remote) remote = std::make_shared<Remote>(incarnation, PeerId{++serials_given_}, ++series_given_);
  remote->name = peer.info.name;
  // Never null: a message without a peer is taken for one of this bus, and is not verified.
  const wire::Name* interned = memory_.intern_far(peer.info.name);
  if (!interned) interned = memory_.intern(one_of_many);
  wire::Extra* const sent_by = interned ? memory_.sent_by(*interned) : nullptr;
  if (!sent_by) throw std::bad_alloc{};
  remote->interned = interned;
  remote->sent_by = sent_by;
  remote->away_since = Instant::never();
  remote->told_forgotten = false;
  ++remote->links_so_far;
  return remote;
}

void Links::establish(Peer& peer) noexcept try {
  std::shared_ptr<Remote> before;
  PeerId still_up = PeerId::none;
  std::shared_ptr<Peer> older;
  {
    const std::lock_guard lock{mutex_};
    const auto remote = remember(peer);
    peer.adopt(remote);
    peer.info.id = remote->id;
    peer.info.state = PeerState::up;
    peer.heartbeat_at = (clock_.now() + options_.heartbeat).nanoseconds;
    for (const auto& target : targets_) {
      if (target->peer.get() != &peer) continue;
      target->state = PeerState::up;
      target->backoff.reset();
      target->not_reached.reset();
      target->is_told_of = false;
    }
    // The last bus of the same name that came before this one: it was restarted. Those before it have been told of.
    for (const auto& [incarnation, one] : remotes_) {
      if (remote->links_so_far != 1 || one == remote || one->name != remote->name) continue;
      if (!before || before->id < one->id) before = one;
    }
    if (before && before->away_since == Instant::never()) {
      older = linked(before->incarnation);
      still_up = std::exchange(before, nullptr)->id;
    }
    if (before) remotes_.erase(before->incarnation);
  }
  if (before) forget(before, &peer.info);
  else if (still_up != PeerId::none) host_.peer_succeeds(peer.info, still_up);
  host_.peer_up(peer.info);
  if (older) older->ask_for_life();
  {
    // From here on messages go to it, and what it missed while it was away is told.
    const std::lock_guard flagged{peer.remote->flag};
    if (peer.remote->forgotten) {
      peer.remote->forgotten = false;
      peer.remote->series = ++series_given_;
    }
    peer.remote->peer = &peer;
    for (const auto& [name, sink] : peer.remote->topics) peer.name_again(*sink);
  }
  {
    // From here on a new subscription is told at once, and those before are in the list: none is missed or told twice.
    const std::lock_guard lock{mutex_};
    if (peer.phase != Phase::establishing) return;
    peer.phase = Phase::up;
    announce(peer);
  }
  arm();
} catch (...) {
  drop_connection(peer, {ErrorCode::no_memory, "no memory for a new link"});
}

void Links::announce(Peer& peer) noexcept {
  for (const auto& [id, subscription] : subscriptions_) {
    const wire::Body body = wire::encode(subscription.body);
    static_cast<void>(peer.send_control({.type = wire::RecordType::subscribe, .payload = body}));
  }
  wire::ServeBody serve;
  try {
    for (const auto& [name, service] : services_) serve.offered.push_back(service);
  } catch (...) {
    serve.offered.clear();
  }
  const wire::Body body = wire::encode(serve);
  static_cast<void>(peer.send_control({.type = wire::RecordType::serve, .payload = body}));
}

}  // namespace midplane::inline v0::link
