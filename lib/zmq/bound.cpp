#include "zmq/bound.hpp"

#include <new>

#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// How often a listener that went down for want of descriptors looks whether it can come back.
constexpr Duration pause = std::chrono::milliseconds{500};

}  // namespace

bool Bound::turn() {
  read_monitor();
  // What was known before everything was read is over when everything is read.
  const bool has_endings = has_endings_.exchange(false, std::memory_order_acq_rel);
  const bool has_more = receive(frames_, true);
  for (Received& received : frames_) take(received);
  frames_.clear();
  if (has_endings) tell_endings(!has_more);
  return has_more;
}

void Bound::read_monitor() {
  MonitorEvent event;
  while (socket_.next_event(event)) {
    if (event.what == ZMQ_EVENT_ACCEPTED) {
      uses_[event.value].accepted++;
      pause_when_descriptors_run_out();
    } else if (event.what == ZMQ_EVENT_DISCONNECTED) {
      Use& use = uses_[event.value];
      use.disconnected++;
      if (use.connection) lose(*use.connection);
      use.connection.reset();
    }
  }
}

void Bound::take(Received& received) {
  const auto known = peers_.find(received.routing_id);
  const std::shared_ptr<Connection> peer = known != peers_.end() ? known->second : meet(received);
  if (peer) deliver(*peer, received);
  else hub_.frames_ignored.fetch_add(1, std::memory_order_relaxed);
}

std::shared_ptr<Connection> Bound::meet(Received& received) try {
  // What the monitor has to say about this connection came before this message, but maybe after our last look.
  read_monitor();
  Use& use = uses_[received.message->descriptor()];
  const auto place = peers_.try_emplace(received.routing_id).first;
  const std::shared_ptr<Connection> peer = place->second = hub_.connect(shared_from_this(), received.routing_id);
  // Two routing ids on one use of a descriptor: the former belonged to an earlier use, whose end had been told when its
  // first message was still unread.
  if (use.connection) lose(*use.connection);
  use.connection = peer;
  hub_.inbound->up(peer->id, false, endpoint_);
  if (use.disconnected >= use.accepted) {
    lose(*peer);
    use.connection.reset();
  }
  return peer;
} catch (const std::bad_alloc&) {
  peers_.erase(received.routing_id);
  return nullptr;
}

void Bound::tell_endings(bool is_drained) {
  for (auto entry = peers_.begin(); entry != peers_.end();) {
    Connection& peer = *entry->second;
    const bool is_lost = peer.is_lost.load(std::memory_order_acquire);
    if (const auto why = ended(peer)) tell_down(peer, *why);
    if (is_lost && is_drained) {
      tell_down(peer, Error{ErrorCode::peer_lost, "the other side has closed the connection"});
      entry = peers_.erase(entry);
      continue;
    }
    if (is_lost) has_endings_.store(true, std::memory_order_release);
    ++entry;
  }
}

void Bound::pause_when_descriptors_run_out() noexcept {
  if (is_paused_ || require_descriptors(0)) return;
  // libzmq aborts the process when an ipc listener can not accept, and spins with a tcp one.
  const std::lock_guard lock{mutex_};
  if (!socket_) return;
  is_paused_ = zmq_unbind(socket_.raw(), endpoint_.c_str()) == 0;
  hub_.pump.alarm_within(pause);
}

void Bound::alarm() {
  if (!is_paused_) return;
  if (require_descriptors(socket_descriptors)) {
    const std::lock_guard lock{mutex_};
    is_paused_ = socket_ && zmq_bind(socket_.raw(), endpoint_.c_str()) != 0;
  }
  if (is_paused_) hub_.pump.alarm_within(pause);
}

void Bound::abandon() noexcept {
  peers_.clear();
  uses_.clear();
  claim_.release();
}

Channel::Transmitted Bound::transmit(const Connection& connection, zmq_msg_t& message) noexcept {
  const std::string& id = connection.routing_id;
  while (zmq_send(socket_.raw(), id.data(), id.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
    if (zmq_errno() == EINTR) continue;
    return zmq_errno() == EAGAIN ? Transmitted::no_room : Transmitted::no_peer;
  }
  // The place was found with the first part; the second can not fail for want of one.
  while (zmq_msg_send(&message, socket_.raw(), ZMQ_DONTWAIT) < 0)
    if (zmq_errno() != EINTR) return Transmitted::no_peer;
  return Transmitted::done;
}

}  // namespace midplane::inline v0::zmq
