#pragma once
/// One ZeroMQ socket with its monitor, and every option that our use of it needs. No locks here.

#include <zmq.h>

#include <cstdint>
#include <string>
#include <utility>

#include <midplane/result.hpp>
#include <midplane/time.hpp>

namespace midplane::inline v0::zmq {

struct SocketSettings {
  std::size_t frame_bytes_max = 0;
  int send_frames = 0;
  int receive_frames = 0;
  int connect_milliseconds = 0;
  bool is_ipv6 = false;
};

/// What happened to a connection below. `value` is a descriptor or an error number.
struct MonitorEvent {
  int what = 0;
  int value = 0;
};

class Socket {
 public:
  /// `type`: ZMQ_DEALER or ZMQ_ROUTER. `number` makes the monitor's address unique in the context.
  [[nodiscard]] static Result<Socket> open(void* context, int type, std::uint64_t number, const SocketSettings& settings);

  Socket() noexcept = default;
  Socket(Socket&& other) noexcept
      : socket_{std::exchange(other.socket_, nullptr)},
        monitor_{std::exchange(other.monitor_, nullptr)},
        descriptor_{other.descriptor_},
        monitor_descriptor_{other.monitor_descriptor_} {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(monitor_, other.monitor_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(monitor_descriptor_, other.monitor_descriptor_);
    return *this;
  }
  ~Socket() { close(Duration::zero()); }

  /// Never blocks: ZeroMQ writes what it can for `linger` in its own threads.
  void close(Duration linger) noexcept;
  explicit operator bool() const noexcept { return socket_ != nullptr; }

  [[nodiscard]] void* raw() const noexcept { return socket_; }
  /// Known since `open`: asking ZeroMQ again would touch a socket that another thread may use.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] int monitor_descriptor() const noexcept { return monitor_descriptor_; }
  [[nodiscard]] std::string last_endpoint() const;

  /// ZMQ_EVENTS; reading them also makes ZeroMQ notice what has happened.
  [[nodiscard]] int events() noexcept;
  /// Both answer false for "nothing there".
  [[nodiscard]] bool receive(zmq_msg_t& message) noexcept;
  [[nodiscard]] bool next_event(MonitorEvent& event) noexcept;

 private:
  Result<void> configure(int type, const SocketSettings& settings) noexcept;
  Result<void> watch(void* context, std::uint64_t number);

  void* socket_ = nullptr;
  void* monitor_ = nullptr;
  int descriptor_ = -1;
  int monitor_descriptor_ = -1;
};

}  // namespace midplane::inline v0::zmq
