#pragma once
/// Time as a seam: a bus never asks the system for the time, it asks its Clock.

#include <memory>

#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Law: `now` may be called from any thread, never blocks, never goes backwards.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since this clock's own start.
  [[nodiscard]] virtual Instant now() const noexcept = 0;
  /// True when `now` is CLOCK_MONOTONIC: the kernel can then sleep until an instant. Executors look at any other
  /// clock again every millisecond while a timer waits.
  [[nodiscard]] virtual bool is_system() const noexcept { return false; }
  /// A simulated clock moves on to `at`, unless it is there or later, and returns true. A clock that moves by itself
  /// returns false. A driven executor calls this when it has nothing to run until `at`.
  virtual bool advance_to(Instant at) noexcept { return static_cast<void>(at), false; }
};

/// The system's monotonic clock.
[[nodiscard]] std::shared_ptr<Clock> steady_clock();

}  // namespace v0
}  // namespace midplane
