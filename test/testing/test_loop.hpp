#pragma once
/// A driven executor in one file, for tests of transports alone: works, timers, watched descriptors. Its clock is either
/// the system's or one that jumps to the next timer whenever nothing else is ready.

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/executor.hpp>

namespace midplane::test {

class JumpingClock final : public Clock {
 public:
  Instant now() const noexcept override { return at; }
  Instant at{1'000'000'000};
};

class SystemClock final : public Clock {
 public:
  Instant now() const noexcept override { return {std::chrono::steady_clock::now().time_since_epoch().count()}; }
};

class TestLoop final : public Executor {
 public:
  /// With a jumping clock: virtual time.
  explicit TestLoop(JumpingClock* jumping = nullptr) : jumping_{jumping} {}

  Clock& clock() noexcept {
    if (jumping_ != nullptr) return *jumping_;
    return system_;
  }
  void submit(Work& work) noexcept override {
    const std::lock_guard lock{mutex_};
    works_.push_back(&work);
  }
  void start(TimerWork& timer) noexcept override {
    const std::lock_guard lock{mutex_};
    timer.position = next_position_++;
    timers_.push_back(&timer);
  }
  bool cancel(TimerWork& timer) noexcept override {
    const std::lock_guard lock{mutex_};
    return std::erase(timers_, &timer) != 0;
  }
  bool runs_here() const noexcept override { return runs_; }
  bool may_wait_here() const noexcept override { return false; }
  bool is_driven() const noexcept override { return true; }
  bool watch(int fd, Work& work) noexcept override {
    const std::lock_guard lock{mutex_};
    watched_.push_back({fd, &work});
    return true;
  }
  void unwatch(int fd) noexcept override {
    const std::lock_guard lock{mutex_};
    std::erase_if(watched_, [fd](const Watched& entry) { return entry.fd == fd; });
  }
  bool stop(Instant) noexcept override { return true; }
  ~TestLoop() override {
    for (Work* const work : works_) work->dropped();
  }

  /// Runs one thing; waits at most 10 ms for it. False: there was nothing.
  bool turn() {
    runs_ = true;
    const bool ran = run_work() || run_watched(0) || run_timer() || (!watched_.empty() && run_watched(10));
    runs_ = false;
    return ran;
  }

 private:
  struct Watched {
    int fd;
    Work* work;
  };
  bool run_work() {
    if (works_.empty()) return false;
    Work* work = works_.front();
    works_.erase(works_.begin());
    return work->run(), true;
  }
  bool run_timer() {
    const auto first = std::min_element(timers_.begin(), timers_.end(), [](const TimerWork* a, const TimerWork* b) {
      return a->due != b->due ? a->due < b->due : a->position < b->position;
    });
    if (first == timers_.end()) return false;
    TimerWork* timer = *first;
    if (jumping_ != nullptr) jumping_->at = std::max(jumping_->at, timer->due);
    else if (timer->due > system_.now()) return false;
    timers_.erase(first);
    timer->position = TimerWork::npos;
    return timer->fire(), true;
  }
  bool run_watched(int milliseconds) {
    bool ran = false;
    for (const Watched& entry : std::vector<Watched>{watched_}) {
      pollfd fd{entry.fd, POLLIN, 0};
      if (::poll(&fd, 1, milliseconds) != 1) continue;
      entry.work->run();
      ran = true;
    }
    return ran;
  }

  JumpingClock* jumping_;
  SystemClock system_;
  std::mutex mutex_;
  std::vector<Work*> works_;
  std::vector<TimerWork*> timers_;
  std::vector<Watched> watched_;
  std::size_t next_position_ = 0;
  bool runs_ = false;
};

}  // namespace midplane::test
