#pragma once
/// What the tests of the executors share: works made of callables, and waiting for events instead of for time.

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <midplane/executors.hpp>

namespace midplane::test {

struct Call final : Work {
  explicit Call(std::function<void()> body) : body_{std::move(body)} {}
  void run() noexcept override { body_(); }
  std::function<void()> body_;
};

struct Alarm final : TimerWork {
  explicit Alarm(std::function<void()> body) : body_{std::move(body)} {}
  void fire() noexcept override { body_(); }
  std::function<void()> body_;
};

/// Fulfilled once, waited for by the test.
class Event {
 public:
  void set() { promise_.set_value(); }
  void wait() { future_.wait(); }

 private:
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

/// An eventfd: readable from `ring` to `read`.
class Bell {
 public:
  Bell() : fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} { REQUIRE(fd_ >= 0); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell() { close(fd_); }

  [[nodiscard]] int fd() const { return fd_; }
  void ring() const { eventfd_write(fd_, 1); }
  bool read() const {
    eventfd_t count = 0;
    return eventfd_read(fd_, &count) == 0;
  }

 private:
  int fd_;
};

inline std::shared_ptr<Executor> pool(std::size_t threads, Wait wait = Wait::sleep) {
  return pool_executor({.threads = threads, .wait = wait, .clock = nullptr, .thread_started = nullptr}).value();
}

inline Instant soon() { return steady_clock()->now() + std::chrono::seconds{30}; }

/// Runs a driven executor until `done`; others run by themselves.
inline void until(Executor& executor, const std::atomic<bool>& done) {
  while (!done.load(std::memory_order_acquire)) {
    if (executor.is_driven()) executor.drive(steady_clock()->now() + std::chrono::seconds{30});
    else done.wait(false, std::memory_order_acquire);
  }
}

inline void finish(Executor& executor, std::atomic<bool>& done) {
  done.store(true, std::memory_order_release);
  done.notify_all();
  executor.nudge();
}

}  // namespace midplane::test
