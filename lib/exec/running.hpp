#pragma once
/// Which executors the calling thread runs a work of right now, innermost first, and whether it waits in there.

#include <atomic>
#include <cstddef>

#include <midplane/extend/executor.hpp>

namespace midplane::inline v0::exec {

/// How many workers of a pool wait inside a run for what other workers have yet to do: never all of them.
class Waiters {
 public:
  explicit Waiters(std::size_t workers) noexcept : workers_{workers} {}

  [[nodiscard]] bool may_begin() const noexcept { return count_.load(std::memory_order_relaxed) + 1 < workers_; }
  /// False for the last one. Relaxed: the count decides alone, nothing else is read because of it.
  [[nodiscard]] bool begin() noexcept {
    std::size_t count = count_.load(std::memory_order_relaxed);
    while (count + 1 < workers_)
      if (count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    return false;
  }
  void end() noexcept { count_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::size_t workers_;
  std::atomic<std::size_t> count_{0};
};

/// Stands on the stack around a run. An inline executor queues here what is submitted meanwhile.
class Running {
 public:
  explicit Running(const void* executor, Waiters* waiters = nullptr) noexcept
      : executor_{executor}, waiters_{waiters}, outer_{innermost} {
    innermost = this;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { innermost = outer_; }

  /// The run of `executor` on this thread; null when there is none.
  [[nodiscard]] static Running* of(const void* executor) noexcept {
    Running* run = innermost;
    while (run && run->executor_ != executor) run = run->outer_;
    return run;
  }

  /// Counts this thread as waiting in every pool that it runs a work of, unless it counts there or would be the last.
  static void begin_wait(const void* wait) noexcept {
    for (Running* run = innermost; run; run = run->outer_)
      if (run->waiters_ && !run->wait_ && run->waiters_->begin()) run->wait_ = wait;
  }
  static void end_wait(const void* wait) noexcept {
    for (Running* run = innermost; run; run = run->outer_) {
      if (run->wait_ != wait) continue;
      run->wait_ = nullptr;
      run->waiters_->end();
    }
  }
  [[nodiscard]] bool may_wait() const noexcept { return wait_ || (waiters_ && waiters_->may_begin()); }

  void append(Work& work) noexcept {
    work.next = nullptr;
    (first_ ? last_->next : first_) = &work;
    last_ = &work;
  }
  [[nodiscard]] Work* take() noexcept {
    Work* const work = first_;
    if (work) first_ = work->next;
    return work;
  }

 private:
  static inline constinit thread_local Running* innermost = nullptr;

  const void* executor_;
  Waiters* waiters_;  ///< null: no workers
  Running* outer_;
  const void* wait_ = nullptr;  ///< the wait that counts in `waiters_`
  Work* first_ = nullptr;
  Work* last_ = nullptr;
};

/// Stands around a wait for what an executor has yet to do; null: for something else.
class Waiting {
 public:
  explicit Waiting(const Executor* executor) noexcept {
    Running::begin_wait(this);
    may_wait_ = !executor || !executor->runs_here() || executor->may_wait_here();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { Running::end_wait(this); }

  /// False: waiting here could only wait for this very thread, or for workers that all wait.
  explicit operator bool() const noexcept { return may_wait_; }

 private:
  bool may_wait_;
};

}  // namespace midplane::inline v0::exec
