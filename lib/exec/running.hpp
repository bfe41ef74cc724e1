#pragma once
/// Which executors the calling thread runs a work of right now, innermost first, and whether it waits in there.

#include <atomic>
#include <cstddef>

#include <midplane/extend/executor.hpp>

namespace midplane::inline v0::exec {

/// How many workers of a pool wait inside a run: never all of them for what the pool itself has yet to do.
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
  /// For what others than this pool will do; also by the last one.
  void begin_for_others() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] bool somebody_runs() const noexcept { return count_.load(std::memory_order_relaxed) < workers_; }
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
    for (Running* run = innermost; run; run = run->outer_) {
      if (!run->waiters_ || run->wait_) continue;
      if (run->waiters_->begin()) run->wait_ = wait, run->standing_ = Standing::counted;
      else run->standing_ = Standing::refused;
    }
  }
  /// It does wait, so that it counts where it is the last one, too.
  static void settle_wait(const void* wait) noexcept {
    for (Running* run = innermost; run; run = run->outer_) {
      if (run->standing_ != Standing::refused) continue;
      run->waiters_->begin_for_others();
      run->wait_ = wait;
      run->standing_ = Standing::counted_last;
    }
  }
  static void end_wait(const void* wait) noexcept {
    for (Running* run = innermost; run; run = run->outer_) {
      if (run->wait_ == wait) run->waiters_->end();
      else if (run->standing_ != Standing::refused) continue;
      run->wait_ = nullptr;
      run->standing_ = Standing::runs;
    }
  }
  /// For what its pool has yet to do. What `begin_wait` was told stands: who looked again might see another worker's wait
  /// end, and go on to wait uncounted.
  [[nodiscard]] bool may_wait() const noexcept {
    switch (standing_) {
      case Standing::runs: return waiters_ && waiters_->may_begin();
      case Standing::refused: return false;
      case Standing::counted:
      case Standing::counted_last: return waiters_->somebody_runs();
    }
    return false;
  }

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
  enum class Standing : unsigned char { runs, refused, counted, counted_last };
  const void* wait_ = nullptr;  ///< the wait that counts in `waiters_`
  Standing standing_ = Standing::runs;
  Work* first_ = nullptr;
  Work* last_ = nullptr;
};

/// Stands around a wait for what an executor has yet to do; null: for something else.
class Waiting {
 public:
  explicit Waiting(const Executor* executor) noexcept {
    Running::begin_wait(this);
    may_wait_ = !executor || !executor->runs_here() || executor->may_wait_here();
    if (may_wait_) Running::settle_wait(this);
    else Running::end_wait(this);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (may_wait_) Running::end_wait(this);
  }

  /// False: waiting here could only wait for this very thread, or for workers that all wait.
  explicit operator bool() const noexcept { return may_wait_; }

 private:
  bool may_wait_;
};

}  // namespace midplane::inline v0::exec
