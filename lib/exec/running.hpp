#pragma once
/// Which executors the calling thread runs a work of right now, innermost first.

#include <midplane/extend/executor.hpp>

namespace midplane::inline v0::exec {

/// Stands on the stack around a run. An inline executor queues here what is submitted meanwhile.
class Running {
 public:
  explicit Running(const void* executor) noexcept : executor_{executor}, outer_{innermost} { innermost = this; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { innermost = outer_; }

  /// The run of `executor` on this thread; null when there is none.
  [[nodiscard]] static Running* of(const void* executor) noexcept {
    Running* run = innermost;
    while (run && run->executor_ != executor) run = run->outer_;
    return run;
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
  Running* outer_;
  Work* first_ = nullptr;
  Work* last_ = nullptr;
};

}  // namespace midplane::inline v0::exec
