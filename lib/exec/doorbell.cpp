#include "exec/doorbell.hpp"

#include <cerrno>
#include <cstdint>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace midplane::inline v0::exec {

namespace {

bool watch(int epoll, int descriptor) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void close_one(int& descriptor) noexcept {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

Doorbell::~Doorbell() {
  int epoll = epoll_.load(std::memory_order_relaxed);
  close_one(epoll);
  close_one(timer_);
  close_one(event_);
}

bool Doorbell::open() noexcept {
  if (is_open()) return true;
  event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (event_ >= 0 && timer_ >= 0 && epoll >= 0 && watch(epoll, event_) && watch(epoll, timer_)) {
    epoll_.store(epoll, std::memory_order_release);
    return true;
  }
  close_one(epoll);
  close_one(timer_);
  close_one(event_);
  return false;
}

void Doorbell::ring() noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  // The counter can not be full: it would take 2^64 rings. A write that fails leaves nothing to do about it.
  [[maybe_unused]] const ssize_t written = ::write(event_, &one, sizeof one);
  errno = saved;
  // After the write: a `quiet` that saw it earlier would read nothing, and the write that came then stayed for good.
  rung_.store(true, std::memory_order_release);
}

void Doorbell::quiet() noexcept {
  if (!rung_.exchange(false, std::memory_order_acquire)) return;
  const int saved = errno;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(event_, &count, sizeof count);
  errno = saved;
}

void Doorbell::arm(Instant due) noexcept {
  itimerspec at{};
  if (due != Instant::never()) {
    // All zeros would disarm it: what is due since ever is due since the clock's first nanosecond.
    const std::int64_t when = due.nanoseconds < 1 ? 1 : due.nanoseconds;
    at.it_value.tv_sec = static_cast<time_t>(when / 1'000'000'000);
    at.it_value.tv_nsec = static_cast<long>(when % 1'000'000'000);
  }
  const int saved = errno;
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
  errno = saved;
  armed_ = due;
}

}  // namespace midplane::inline v0::exec
