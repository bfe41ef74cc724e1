#pragma once
/// Something that becomes true: wait for it on the user's thread, or be called back.

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <midplane/extend/executor.hpp>
#include <midplane/function.hpp>
#include <midplane/result.hpp>

#include "base/clock.hpp"
#include "base/parking.hpp"
#include "exec/running.hpp"

namespace midplane::inline v0::exec {

[[nodiscard]] inline Error would_deadlock() noexcept {
  return Error{ErrorCode::would_deadlock, "no thread is left that could run what this handler waits for; use the callback or co_await, or give the pool more threads"};
}

/// Waits until `is_true()`, driving a driven executor meanwhile. Whoever makes it true calls `spot.wake_all()` and
/// `executor.nudge()` after.
template <class IsTrue>
Result<void> wait_until(Executor& executor, const Clock& clock, Instant until, base::Parking& spot, IsTrue&& is_true) {
  if (is_true()) return ok();
  const Waiting waiting{&executor};
  if (!waiting) return would_deadlock();
  while (!is_true()) {
    if (clock.now() >= until) return Error{ErrorCode::timed_out, "it did not happen within the duration"};
    if (executor.is_driven()) {
      executor.drive(until);
      continue;
    }
    const auto key = spot.prepare();
    if (is_true()) spot.cancel();
    else spot.wait(key, base::kernel_deadline(clock, until));
  }
  return ok();
}

class Condition {
 public:
  using IsTrue = std::function<bool()>;

  Result<void> wait(Executor& executor, const Clock& clock, Duration duration, const IsTrue& is_true) {
    return wait_until(executor, clock, clock.now() + duration, spot_, is_true);
  }
  /// Calls `fn` once, on the thread that makes it true; at once when it is.
  void when(IsTrue is_true, Function<void()> fn);
  /// What conditions look at has changed. No lock of the caller's may be held: callbacks run in here.
  void changed(Executor& executor) noexcept;

 private:
  base::Parking spot_;
  std::mutex mutex_;
  std::vector<std::pair<IsTrue, Function<void()>>> waiting_;
};

}  // namespace midplane::inline v0::exec
