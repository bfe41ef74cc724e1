#pragma once
/// A timer heap that any thread may use, with the next deadline to be read without its lock.

#include <atomic>
#include <mutex>

#include "base/clock.hpp"
#include "base/flag.hpp"
#include "exec/timer_heap.hpp"

namespace midplane::inline v0::exec {

class Timers {
 public:
  /// True when it is now the first: whoever sleeps until `next_due` has to look again.
  bool start(TimerWork& timer) noexcept {
    const std::lock_guard lock{flag_};
    if (closed_) return false;
    const Instant before = heap_.next_due();
    heap_.push(timer);
    publish();
    return timer.due < before;
  }
  bool cancel(TimerWork& timer) noexcept {
    const std::lock_guard lock{flag_};
    const bool removed = heap_.remove(timer);
    if (removed) publish();
    return removed;
  }
  /// The next timer due at `now` that was started before place `before`, no longer started; else null.
  TimerWork* take_due(Instant now, std::size_t before = TimerWork::npos) noexcept {
    const std::lock_guard lock{flag_};
    TimerWork* const timer = heap_.pop_due(now, before);
    if (timer) publish();
    return timer;
  }
  [[nodiscard]] std::size_t next_position() noexcept {
    const std::lock_guard lock{flag_};
    return heap_.next_position();
  }
  [[nodiscard]] Instant next_due() const noexcept { return {next_due_.load(std::memory_order_acquire)}; }
  /// As `next_due`; a start that it does not show yet sees what the caller has done before.
  [[nodiscard]] Instant next_due_in_order() noexcept {
    const std::lock_guard lock{flag_};
    return heap_.next_due();
  }
  /// Asks the clock only when a timer is started: most rounds of a worker need no time.
  [[nodiscard]] bool any_due(const Clock& clock) const noexcept { return base::has_passed(clock, next_due()); }
  /// Drops all timers and every later start.
  void close() noexcept {
    const std::lock_guard lock{flag_};
    closed_ = true;
    heap_.clear();
    publish();
  }

 private:
  void publish() noexcept { next_due_.store(heap_.next_due().nanoseconds, std::memory_order_release); }

  base::Flag flag_;
  TimerHeap heap_;
  bool closed_ = false;
  std::atomic<std::int64_t> next_due_{Instant::never().nanoseconds};
};

}  // namespace midplane::inline v0::exec
