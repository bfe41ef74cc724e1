#include "exec/doorbell.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace midplane::inline v0::exec {

namespace {

constexpr std::uint64_t own_key = 0;
constexpr std::size_t own_descriptors = 2;
constexpr std::size_t readable_max = 64;  ///< reported by one look; the kernel goes round, so none is forgotten

bool watch(int epoll, int descriptor, std::uint64_t key) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
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
  if (event_ >= 0 && timer_ >= 0 && epoll >= 0 && watch(epoll, event_, own_key) &&
      watch(epoll, timer_, own_key)) {
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
  if (!rung_.load(std::memory_order_relaxed) || !rung_.exchange(false, std::memory_order_acquire)) return;
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

bool Doorbell::add(int fd, std::uint64_t key) noexcept {
  const int saved = errno;
  const bool added = watch(descriptor(), fd, key);
  errno = saved;
  return added;
}

void Doorbell::remove(int fd) noexcept {
  const int saved = errno;
  epoll_ctl(descriptor(), EPOLL_CTL_DEL, fd, nullptr);
  errno = saved;
}

std::size_t Doorbell::readable(std::span<std::uint64_t> keys) const noexcept {
  std::array<epoll_event, readable_max + own_descriptors> events;
  const std::size_t room = std::min(keys.size(), readable_max) + own_descriptors;
  const int saved = errno;
  const int ready = epoll_wait(descriptor(), events.data(), static_cast<int>(room), 0);
  errno = saved;
  std::size_t count = 0;
  for (int i = 0; i < ready; ++i) {
    const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
    if (key != own_key && count < keys.size()) keys[count++] = key;
  }
  return count;
}

bool Doorbell::sleep(Instant until) noexcept {
  timespec left{};
  const timespec* timeout = nullptr;
  if (until != Instant::never()) {
    const std::int64_t nanoseconds = std::max<std::int64_t>(until.nanoseconds - base::steady_now().nanoseconds, 0);
    left.tv_sec = static_cast<time_t>(nanoseconds / 1'000'000'000);
    left.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
    timeout = &left;
  }
  pollfd fd{descriptor(), POLLIN, 0};
  const int saved = errno;
  // Not epoll_wait: its timeout counts in milliseconds, and a deadline would be missed by one.
  const bool readable = ppoll(&fd, 1, timeout, nullptr) > 0;
  errno = saved;
  get_up();
  return readable;
}

}  // namespace midplane::inline v0::exec
