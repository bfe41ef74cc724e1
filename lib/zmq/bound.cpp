#include "zmq/bound.hpp"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstddef>
#include <new>
#include <utility>

#include "zmq/descriptors.hpp"
#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// How often a listener that went down for want of descriptors looks whether it can come back.
constexpr Duration pause = std::chrono::milliseconds{500};
/// How often connections are looked at that only take in.
constexpr Duration look = std::chrono::milliseconds{100};

/// What the system has received over a connection; 0 when it does not say.
std::uint64_t received_bytes(int descriptor) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return size >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received ? info.tcpi_bytes_received : 0;
}

/// Whether this end of the connection has the port of `endpoint`.
bool is_bound_to(int descriptor, std::string_view endpoint) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  in_port_t port = 0;
  if (address.ss_family == AF_INET) port = reinterpret_cast<const sockaddr_in&>(address).sin_port;
  else if (address.ss_family == AF_INET6) port = reinterpret_cast<const sockaddr_in6&>(address).sin6_port;
  else return false;
  unsigned wanted = 0;
  const std::string_view digits = endpoint.substr(endpoint.rfind(':') + 1);
  return std::from_chars(digits.data(), digits.data() + digits.size(), wanted).ec == std::errc{} && ntohs(port) == wanted;
}

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
      Use& use = uses_[event.value];
      use.accepted++;
      use.looked_at = UINT64_MAX;
      hub_.pump.alarm_within(look);
      pause_when_descriptors_run_out();
    } else if (event.what == ZMQ_EVENT_DISCONNECTED) {
      Use& use = uses_[event.value];
      use.disconnected++;
      if (use.connection) lose(*use.connection);
      else hub_.unheard.fetch_add(1, std::memory_order_relaxed);
      use.connection.reset();
    }
  }
}

void Bound::take(Received& received) {
  const auto known = peers_.find(received.routing_id);
  const std::shared_ptr<Connection> peer = known != peers_.end() ? known->second : meet(received);
  if (peer) peer->read_bytes += received.wire_bytes;
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

bool Bound::cut_endless() noexcept {
  bool is_busy = false;
  for (auto& [descriptor, use] : uses_) {
    if (use.disconnected >= use.accepted) continue;
    is_busy = true;
    const std::uint64_t read = use.connection ? use.connection->read_bytes : 0;
    // It may only be that we are slow: then something of it has been read since the last look.
    const bool stands_still = std::exchange(use.looked_at, read) == read;
    if (!stands_still || received_bytes(descriptor) < read + hub_.unread_bytes_max) continue;
    // Held from here on: the number can not mean anything else any more, and what it means is looked at again.
    const Descriptor held{::fcntl(descriptor, F_DUPFD_CLOEXEC, 3)};
    if (!held || !is_bound_to(held.get(), endpoint_) || received_bytes(held.get()) < read + hub_.unread_bytes_max) continue;
    ::shutdown(held.get(), SHUT_RDWR);
    hub_.endless_cut.fetch_add(1, std::memory_order_relaxed);
  }
  return is_busy;
}

void Bound::alarm() {
  if (cut_endless()) hub_.pump.alarm_within(look);
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
