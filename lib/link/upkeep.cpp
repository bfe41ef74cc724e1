/// What time and transports do to links: connections come and go, addresses are dialled again, silence ends a link.

#include <algorithm>
#include <utility>

#include "base/futex.hpp"
#include "link/links.hpp"

namespace midplane::inline v0::link {
namespace {

/// The numbers that a peer has given are kept so many times longer than it keeps ours: who notices a loss first must not
/// forget first, or a loss would go unreported.
constexpr int seen_keep = 3;

}  // namespace

std::shared_ptr<Peer> Links::Port::find(ConnectionId id) noexcept {
  const std::lock_guard lock{mutex};
  const auto found = connections.find(id);
  return found == connections.end() ? nullptr : found->second;
}

void Links::Port::up(ConnectionId id, bool dialled, std::string_view endpoint) noexcept try {
  std::uint64_t serial = 0;
  {
    const std::lock_guard lock{links.mutex_};
    serial = ++links.serials_given_;
  }
  auto peer = std::make_shared<Peer>(*transport, id, serial, links.options_, links.clock_);
  peer->info.endpoint = endpoint;
  peer->info.dialled = dialled;
  if (dialled) peer->set_epoch(links.random_.next());
  {
    const std::lock_guard lock{links.mutex_};
    const std::size_t count = links.connections_.size();
    links.connections_.reserve(count + 1);
    if (links.stopped_ || (!dialled && count >= connections_max)) throw std::bad_alloc{};
    {
      const std::lock_guard port_lock{mutex};
      connections.emplace(id, peer);
    }
    links.connections_.push_back(peer);
    for (const auto& target : links.targets_) {
      if (!dialled || target->port != this || target->endpoint != endpoint || target->peer) continue;
      target->peer = peer;
      break;
    }
  }
  if (dialled) links.say_hello(*peer);
  links.arm();
} catch (...) {
  // No room for one more connection: whoever dialled comes again later.
  transport->disconnect(id);
  if (dialled) dial_failed(endpoint, {ErrorCode::no_memory, "no memory for a connection"});
}

void Links::Port::frame(ConnectionId id, InboundFrame frame) noexcept {
  if (const auto peer = find(id)) {
    const base::WakesLater wakes_later;
    links.receive(*peer, frame.bytes);
    if (!frame.more) links.frames_ended(*peer);
  }
  if (frame.release) frame.release();
}

void Links::Port::writable(ConnectionId id) noexcept {
  if (const auto peer = find(id)) peer->writable();
}

void Links::Port::down(ConnectionId id, const Error& why) noexcept {
  const auto peer = find(id);
  if (!peer) return;
  {
    const std::lock_guard lock{mutex};
    connections.erase(id);
  }
  links.frames_ended(*peer);
  links.ended(peer, why, DropReason::link_lost);
}

void Links::Port::dial_failed(std::string_view endpoint, const Error& why) noexcept {
  bool is_news = false;
  {
    const std::lock_guard lock{links.mutex_};
    for (const auto& target : links.targets_) {
      if (target->port == this && target->endpoint == endpoint && !target->peer && target->dial_at == Instant::never()) {
        links.dial_later(*target);
        is_news = !links.stopped_ && note_not_reached(*target, why);
        break;
      }
    }
  }
  if (is_news) links.host_.address_not_reached(endpoint, why);
  links.arm();
}

Result<void> Links::dial(Target& target) noexcept {
  auto dialled = target.port->transport->dial(target.endpoint);
  if (dialled) return dialled;
  bool is_news = false;
  {
    const std::lock_guard lock{mutex_};
    dial_later(target);
    is_news = !stopped_ && note_not_reached(target, dialled.error());
  }
  // One that means nothing is the answer of `attach`.
  if (is_news && dialled.error().code() != ErrorCode::invalid_endpoint)
    host_.address_not_reached(target.endpoint, dialled.error());
  return dialled;
}

void Links::dial_later(Target& target) noexcept {
  if (!target.never_again) target.dial_at = clock_.now() + target.backoff.next(random_);
}

/// True when the host is to be told: once for as long as nobody is reached.
bool Links::note_not_reached(Target& target, const Error& why) noexcept {
  target.not_reached = why;
  return !std::exchange(target.is_told_of, true);
}

void Links::ended(const std::shared_ptr<Peer>& peer, const Error& why, DropReason reason) noexcept {
  bool was_up = false, in_order = false;
  std::shared_ptr<const Target> not_reached;
  Error first = why;
  Error cause = why;
  {
    const std::lock_guard lock{mutex_};
    const Phase phase = peer->phase.exchange(Phase::ended);
    if (phase == Phase::ended) return;
    was_up = phase == Phase::up || phase == Phase::establishing;
    const bool was_refused = phase == Phase::refusing;
    // Who has had our farewell may be faster than we are.
    if (stopped_) {
      reason = DropReason::closed;
      cause = closed_error();
    }
    if (reason != DropReason::closed || cause.code() != ErrorCode::closed) {
      if (peer->closing) first = peer->ended_by;
      in_order = peer->closing && first.code() == ErrorCode::closed;
      std::string words{in_order ? "its bus was closed" : first.text().empty() ? name_of(first.code()) : first.text()};
      if (!in_order && !first.detail().empty()) words.append(": ").append(first.detail());
      cause = Error{ErrorCode::peer_lost, Fate::maybe_executed, "the link to this peer ended"}.with(words);
    }
    std::erase(connections_, peer);
    if (was_up) busy_.push_back(peer->info.incarnation);
    for (auto& [id, subscription] : subscriptions_) subscription.answers.erase(peer->info.id);
    for (const auto& target : targets_) {
      if (target->peer != peer) continue;
      target->peer.reset();
      if (was_up) target->state = PeerState::lost;
      if (stopped_) continue;
      dial_later(*target);
      // Something accepts connections there, and does not greet.
      const bool is_failed = !was_up && !was_refused && reason != DropReason::closed;
      if (is_failed && note_not_reached(*target, first)) not_reached = target;
    }
  }
  if (not_reached) host_.address_not_reached(not_reached->endpoint, first);
  // The host first: what is asked again because of the failures below must not choose this peer.
  if (was_up) {
    counters_.lost.fetch_add(1, std::memory_order_relaxed);
    PeerInfo info = peer->info;
    info.state = PeerState::lost;
    host_.peer_lost(info, cause, in_order || cause.code() == ErrorCode::closed);
  }
  peer->end(cause, reason);
  std::shared_ptr<Remote> gone;
  {
    const std::lock_guard lock{mutex_};
    if (was_up) busy_.erase(std::find(busy_.begin(), busy_.end(), peer->info.incarnation));
    const auto remote = remotes_.find(peer->info.incarnation);
    if (was_up && remote != remotes_.end()) {
      remote->second->away_since = clock_.now();
      // A bus that was closed does not come back: what is published from here on is lost on nobody.
      gone = in_order ? remote->second : too_many_away();
      if (gone) remotes_.erase(gone->incarnation);
    }
  }
  if (gone) forget(gone, nullptr);
  replaced(*peer);
  arm();
}

/// The one that left first, when more are away than are remembered.
std::shared_ptr<Remote> Links::too_many_away() const noexcept {
  std::size_t away = 0;
  std::shared_ptr<Remote> first;
  for (const auto& [incarnation, remote] : remotes_) {
    if (remote->away_since == Instant::never()) continue;
    ++away;
    if (!first || remote->away_since < first->away_since) first = remote;
  }
  return away > away_max ? first : nullptr;
}

/// A bus of the same name came while this one was not known to be lost yet: it was restarted, and does not come back,
/// also when its successor is away at the moment.
void Links::replaced(const Peer& peer) noexcept {
  std::shared_ptr<Remote> gone;
  {
    const std::lock_guard lock{mutex_};
    const auto remote = remotes_.find(peer.info.incarnation);
    if (stopped_ || remote == remotes_.end() || remote->second->away_since == Instant::never()) return;
    const bool has_successor = std::any_of(remotes_.begin(), remotes_.end(), [&](const auto& other) {
      return other.second->id > remote->second->id && other.second->name == remote->second->name;
    });
    if (!has_successor) return;
    gone = remote->second;
    remotes_.erase(remote);
  }
  forget(gone, nullptr);
}

/// Ends what is kept of a remote that is away. It stays in the list, if it is there, for the numbers it has given.
void Links::forget(const std::shared_ptr<Remote>& remote, const PeerInfo* successor) noexcept {
  std::map<std::string, std::shared_ptr<FarTopicSink>, std::less<>> topics;
  {
    const std::lock_guard flagged{remote->flag};
    if (remote->forgotten) return;
    remote->forgotten = true;
    for (const auto& [name, sink] : remote->topics) sink->drop_waiting(DropReason::link_lost);
    topics.swap(remote->topics);
    remote->subscriptions.clear();
  }
  host_.peer_forgotten(remote->id, successor);
}

Instant Links::next_due() const noexcept {
  const Duration silence = options_.heartbeat * heartbeats_to_loss;
  Instant soonest = Instant::never();
  for (const auto& target : targets_) soonest = std::min(soonest, target->dial_at);
  for (const auto& peer : connections_) {
    if (peer->closing) continue;
    const Instant heard{peer->heard_at};
    if (peer->phase == Phase::refusing) soonest = std::min(soonest, heard + refusal_linger);
    else soonest = std::min(soonest, heard + silence);
    if (peer->phase == Phase::up) soonest = std::min(soonest, Instant{peer->heartbeat_at});
  }
  for (const auto& [incarnation, remote] : remotes_) {
    if (remote->away_since == Instant::never()) continue;
    soonest = std::min(soonest, remote->away_since + options_.away_keep * (remote->told_forgotten ? seen_keep : 1));
  }
  return soonest;
}

void Links::arm() noexcept {
  const std::lock_guard lock{mutex_};
  if (stopped_) return;
  const Instant soonest = next_due();
  if (soonest == Instant::never() || (armed_ && due <= soonest)) return;
  // When it can not be cancelled it is firing, and arms itself again behind that.
  if (armed_ && !executor_.cancel(*this)) return;
  armed_ = true;
  if (!keep_) keep_ = shared_from_this();
  due = soonest;
  executor_.start(*this);
}

void Links::fire() noexcept {
  std::shared_ptr<Links> keep;
  std::vector<std::shared_ptr<Target>> to_dial;
  std::vector<std::shared_ptr<Peer>> to_beat;
  std::vector<std::shared_ptr<Peer>> to_drop;
  std::vector<std::shared_ptr<Remote>> to_forget;
  try {
    const std::lock_guard lock{mutex_};
    armed_ = false;
    keep.swap(keep_);
    if (stopped_) return;
    to_dial.reserve(targets_.size());
    to_beat.reserve(connections_.size());
    to_drop.reserve(connections_.size());
    to_forget.reserve(remotes_.size());
    busy_.reserve(busy_.size() + remotes_.size() + connections_max);
    const Instant now = clock_.now();
    for (auto next = remotes_.begin(); next != remotes_.end();) {
      const auto one = next++;
      Remote& remote = *one->second;
      if (remote.away_since == Instant::never()) continue;
      if (remote.away_since + options_.away_keep * seen_keep <= now) {
        if (!remote.told_forgotten) to_forget.push_back(one->second);
        remotes_.erase(one);
      } else if (remote.away_since + options_.away_keep <= now && !remote.told_forgotten) {
        remote.told_forgotten = true;
        to_forget.push_back(one->second);
      }
    }
    for (const auto& remote : to_forget) busy_.push_back(remote->incarnation);
    for (const auto& target : targets_) {
      if (target->dial_at > now) continue;
      target->dial_at = Instant::never();
      // The bus behind this address is linked over another connection: look again when that may have changed.
      if (linked(target->linked_to)) target->dial_at = now + options_.redial_max;
      else to_dial.push_back(target);
    }
    for (const auto& peer : connections_) {
      if (peer->closing) continue;
      const Instant heard{peer->heard_at};
      const bool refusing = peer->phase == Phase::refusing;
      if (peer->doomed || heard + (refusing ? refusal_linger : options_.heartbeat * heartbeats_to_loss) <= now) {
        peer->closing = true;
        if (peer->doomed) peer->ended_by = {ErrorCode::no_memory, Fate::maybe_executed, "no room for what the peer must be told"};
        else if (!refusing) peer->ended_by = {ErrorCode::peer_lost, Fate::maybe_executed, "no sign of life for three heartbeats"};
        to_drop.push_back(peer);
      } else if (peer->phase == Phase::up && Instant{peer->heartbeat_at} <= now) {
        peer->heartbeat_at = (now + options_.heartbeat).nanoseconds;
        to_beat.push_back(peer);
      }
    }
  } catch (...) {
    // Without memory now, the next turn does it.
  }
  for (const auto& remote : to_forget) {
    forget(remote, nullptr);
    const std::lock_guard lock{mutex_};
    busy_.erase(std::find(busy_.begin(), busy_.end(), remote->incarnation));
  }
  for (const auto& peer : to_drop) {
    // Not every transport can end what was dialled from the other side; a farewell may still get through.
    const wire::Body farewell = wire::encode(peer->ended_by);
    if (peer->phase == Phase::up) static_cast<void>(peer->send_control({.type = wire::RecordType::refused, .payload = farewell}));
    peer->transport.disconnect(peer->connection);
  }
  for (const auto& peer : to_beat) peer->heartbeat();
  for (const auto& target : to_dial) static_cast<void>(dial(*target));
  arm();
}

}  // namespace midplane::inline v0::link
