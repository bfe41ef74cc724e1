#include "zmq/socket.hpp"

#include <cstring>

#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// Only what decides about up and down: every event costs ZeroMQ's thread a message.
constexpr int watched_events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
/// A full monitor stalls ZeroMQ's I/O thread. It holds two or three events per handshake while nobody reads.
constexpr int monitor_events_max = 65'536;
constexpr int handshake_milliseconds = 2'000;
constexpr int reconnect_milliseconds = 3'600'000;

bool set(void* socket, int option, int value) noexcept {
  return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

int get(void* socket, int option) noexcept {
  int value = -1;
  std::size_t size = sizeof value;
  while (zmq_getsockopt(socket, option, &value, &size) != 0)
    if (zmq_errno() != EINTR) return -1;
  return value;
}

}  // namespace

Result<Socket> Socket::open(void* context, int type, std::uint64_t number, const SocketSettings& settings) {
  Socket socket;
  socket.socket_ = zmq_socket(context, type);
  if (socket.socket_ == nullptr) return system_error("ZeroMQ can not make another socket", zmq_errno());
  if (auto done = socket.configure(type, settings); !done) return done.error();
  if (auto done = socket.watch(context, number); !done) return done.error();
  socket.descriptor_ = get(socket.socket_, ZMQ_FD);
  socket.monitor_descriptor_ = get(socket.monitor_, ZMQ_FD);
  return socket;
}

Result<void> Socket::configure(int type, const SocketSettings& settings) noexcept {
  const auto frame_bytes_max = static_cast<std::int64_t>(settings.frame_bytes_max);
  bool done = set(socket_, ZMQ_LINGER, 0) && set(socket_, ZMQ_SNDHWM, settings.send_frames) &&
              set(socket_, ZMQ_RCVHWM, settings.receive_frames) && set(socket_, ZMQ_HANDSHAKE_IVL, handshake_milliseconds) &&
              set(socket_, ZMQ_IPV6, settings.is_ipv6 ? 1 : 0) &&
              zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) == 0;
  if (type == ZMQ_ROUTER) {
    done = done && set(socket_, ZMQ_ROUTER_MANDATORY, 1);
  } else {
    // One socket is one connection: a reconnect would bring frames of the old one to whoever listens there now. So it is
    // closed long before ZeroMQ would try; were the interval -1, or IMMEDIATE set, ZeroMQ would throw away what has come
    // and was not read yet when the line ends.
    // The probe is an empty frame with which the ROUTER learns of us before we have said anything.
    done = done && set(socket_, ZMQ_RECONNECT_IVL, reconnect_milliseconds) && set(socket_, ZMQ_PROBE_ROUTER, 1) &&
           set(socket_, ZMQ_CONNECT_TIMEOUT, settings.connect_milliseconds);
  }
  if (!done) return system_error("ZeroMQ refuses an option of its socket", zmq_errno());
  return ok();
}

Result<void> Socket::watch(void* context, std::uint64_t number) {
  const std::string address = "inproc://midplane.monitor." + std::to_string(number);
  monitor_ = zmq_socket(context, ZMQ_PAIR);
  const bool done = monitor_ != nullptr && set(monitor_, ZMQ_LINGER, 0) && set(monitor_, ZMQ_RCVHWM, monitor_events_max) &&
                    zmq_socket_monitor(socket_, address.c_str(), watched_events) == 0 &&
                    zmq_connect(monitor_, address.c_str()) == 0;
  if (!done) return system_error("ZeroMQ can not watch its socket", zmq_errno());
  return ok();
}

void Socket::close(Duration linger) noexcept {
  if (socket_ != nullptr) {
    zmq_socket_monitor(socket_, nullptr, 0);
    set(socket_, ZMQ_LINGER, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(linger).count()));
    zmq_close(std::exchange(socket_, nullptr));
  }
  if (monitor_ != nullptr) zmq_close(std::exchange(monitor_, nullptr));
}

int Socket::events() noexcept { return get(socket_, ZMQ_EVENTS); }

std::string Socket::last_endpoint() const {
  char text[512];
  std::size_t size = sizeof text;
  if (zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, text, &size) != 0) return {};
  return text;
}

bool Socket::receive(zmq_msg_t& message) noexcept {
  while (zmq_msg_recv(&message, socket_, ZMQ_DONTWAIT) < 0)
    if (zmq_errno() != EINTR) return false;
  return true;
}

bool Socket::next_event(MonitorEvent& event) noexcept {
  zmq_msg_t message;
  zmq_msg_init(&message);
  bool found = false;
  while (zmq_msg_recv(&message, monitor_, ZMQ_DONTWAIT) < 0)
    if (zmq_errno() != EINTR) return zmq_msg_close(&message), false;
  // Two parts: number and value as they lie in memory, then the address.
  std::uint16_t what = 0;
  std::int32_t value = 0;
  if (zmq_msg_size(&message) == sizeof what + sizeof value) {
    std::memcpy(&what, zmq_msg_data(&message), sizeof what);
    std::memcpy(&value, static_cast<const char*>(zmq_msg_data(&message)) + sizeof what, sizeof value);
    event = {what, value};
    found = true;
  }
  while (zmq_msg_more(&message) != 0)
    while (zmq_msg_recv(&message, monitor_, ZMQ_DONTWAIT) < 0)
      if (zmq_errno() != EINTR) return zmq_msg_close(&message), found;
  zmq_msg_close(&message);
  return found;
}

}  // namespace midplane::inline v0::zmq
