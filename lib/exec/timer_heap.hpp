#pragma once
/// The started timers, next one first. A pairing heap through the timers' own links: it never allocates, starting is
/// O(1), and so is cancelling a timer that was never near the top, which is what a request's deadline does.
/// Taking the top is O(log n) amortised. Ties fire in the order of their starts. Not thread-safe.

#include <cstddef>

#include <midplane/extend/executor.hpp>

namespace midplane::inline v0::exec {

class TimerHeap {
 public:
  [[nodiscard]] bool empty() const noexcept { return root_ == nullptr; }
  [[nodiscard]] Instant next_due() const noexcept { return root_ ? root_->due : Instant::never(); }
  /// The place that the next start will get: what was started before has a smaller one.
  [[nodiscard]] std::size_t next_position() const noexcept { return next_position_; }

  void push(TimerWork& timer) noexcept;
  /// False when it is not in the heap.
  bool remove(TimerWork& timer) noexcept;
  /// The first timer when it is due at `now` and was started before place `before`; else null.
  TimerWork* pop_due(Instant now, std::size_t before = TimerWork::npos) noexcept;
  /// Drops all; none of them counts as started any more.
  void clear() noexcept;

 private:
  std::size_t next_position_ = 0;
  TimerWork* root_ = nullptr;
};

}  // namespace midplane::inline v0::exec
