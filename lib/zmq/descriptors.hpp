#pragma once
/// Descriptors of our own, and the probes that keep libzmq away from its assertions about them.

#include <cstddef>
#include <utility>

#include <unistd.h>

#include <midplane/result.hpp>

namespace midplane::inline v0::zmq {

class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_{fd} {}
  Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

/// What a context opens at once: a mailbox each for its terminator, its reaper and its I/O thread, an epoll each for the
/// two threads; then our own epoll, eventfd and timerfd.
inline constexpr std::size_t context_descriptors = 8;
/// A socket and both ends of its monitor have a mailbox each; then the connection or the listener, and a lock file.
inline constexpr std::size_t socket_descriptors = 5;
/// Left for the application: libzmq's ipc listener aborts the process when accept finds no descriptor.
inline constexpr std::size_t spare_descriptors = 16;

/// `transport_failed` unless `count` more descriptors and the spare ones can be opened now.
[[nodiscard]] Result<void> require_descriptors(std::size_t count);

/// `transport_failed` unless 0, 1 and 2 are open: otherwise a socket would take their place, and the first line that
/// anybody prints would go to a peer.
[[nodiscard]] Result<void> require_standard_descriptors();

}  // namespace midplane::inline v0::zmq
