#include "zmq/pump.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <system_error>

#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

constexpr std::uint64_t wake_key = UINT64_MAX;
constexpr std::uint64_t alarm_key = UINT64_MAX - 1;
/// Descriptors served per turn; more wait for the next one.
constexpr int ready_max = 64;
/// With Wait::yield, before it sleeps: about 50 µs with a core to itself.
constexpr int looks_max = 128;

/// Returns whether there was something to read.
bool drain(const Descriptor& counter) noexcept {
  std::uint64_t count = 0;
  return ::read(counter.get(), &count, sizeof count) == sizeof count;
}

}  // namespace

Result<void> Pump::start(Executor& executor, Wait wait) {
  wait_ = wait;
  epoll_ = Descriptor{::epoll_create1(EPOLL_CLOEXEC)};
  wake_ = Descriptor{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  alarm_ = Descriptor{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
  if (!epoll_ || !wake_ || !alarm_) return system_error("the transport's descriptors can not be made", errno);
  if (auto added = add(wake_.get(), wake_key); !added) return added;
  if (auto added = add(alarm_.get(), alarm_key); !added) return added;
  if (executor.is_driven()) {
    if (!executor.watch(epoll_.get(), *this))
      return Error{ErrorCode::unsupported, "this driven executor can not watch a descriptor; override Executor::watch"};
    driver_ = &executor;
    return ok();
  }
  // The thread inherits this mask: signals of the application are never handled on it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<void> started;
  try {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "midplane-zmq");
  } catch (const std::system_error& fault) {
    started = system_error("the transport's thread can not be started", fault.code().value());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void Pump::stop() noexcept {
  if (driver_ != nullptr) {
    driver_->unwatch(epoll_.get());
    driver_ = nullptr;
  }
  if (thread_.joinable()) {
    assert(thread_.get_id() != std::this_thread::get_id() && "a transport is not stopped from within Inbound");
    stopping_.store(true, std::memory_order_seq_cst);
    wake();
    thread_.join();
  }
}

Result<void> Pump::add(int fd, std::uint64_t key) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return ok();
  return system_error("a descriptor can not be waited for", errno);
}

void Pump::remove(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Pump::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_seq_cst)) return;
  constexpr std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

void Pump::alarm_within(Duration duration) noexcept {
  const std::lock_guard lock{alarm_mutex_};
  itimerspec current{};
  ::timerfd_gettime(alarm_.get(), &current);
  const Duration wanted = std::max(duration, Duration{1});
  const Duration set = std::chrono::seconds{current.it_value.tv_sec} + Duration{current.it_value.tv_nsec};
  if (set != Duration::zero() && set <= wanted) return;
  itimerspec later{};
  later.it_value.tv_sec = static_cast<time_t>(wanted / std::chrono::seconds{1});
  later.it_value.tv_nsec = static_cast<long>((wanted % std::chrono::seconds{1}).count());
  ::timerfd_settime(alarm_.get(), 0, &later, nullptr);
}

void Pump::loop() noexcept {
  while (!stopping_.load(std::memory_order_seq_cst)) once(-1);
}

int Pump::look(std::span<epoll_event> events, int timeout_milliseconds) noexcept {
  const int size = static_cast<int>(events.size());
  // Counted and not timed: where others want the core, the looks are far apart and cost nothing.
  for (int looks = wait_ == Wait::yield && timeout_milliseconds != 0 ? looks_max : 0; looks != 0; --looks) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), size, 0);
    if (ready != 0) return ready;
    sched_yield();
  }
  return ::epoll_wait(epoll_.get(), events.data(), size, timeout_milliseconds);
}

void Pump::once(int timeout_milliseconds) noexcept {
  std::array<epoll_event, ready_max> events;
  const int ready = look(events, timeout_milliseconds);
  std::array<std::uint64_t, ready_max> keys;
  std::size_t count = 0;
  bool alarm = false;
  for (int i = 0; i < ready; ++i) {
    const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
    if (key == wake_key) drain(wake_);
    else if (key == alarm_key) alarm = drain(alarm_) || alarm;
    else keys[count++] = key;
  }
  // After the eventfd was read: a wake that comes before this line is served by this turn, one after it writes again.
  woken_.exchange(false, std::memory_order_seq_cst);
  if (!stopping_.load(std::memory_order_seq_cst)) pumped_.turn({keys.data(), count}, alarm);
}

}  // namespace midplane::inline v0::zmq
