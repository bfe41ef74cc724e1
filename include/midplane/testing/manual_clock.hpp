#pragma once
/// Time that only moves when a test moves it, or when a manual executor has nothing left to do.

#include <memory>

#include <midplane/extend/clock.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {
namespace testing {

/// `get`, `take`, `drain` and every other call that drives a manual executor over this clock never waits: with nothing
/// ready the clock jumps to the next timer or to the call's own deadline. `poll` and `run_for` leave it alone.
class ManualClock : public Clock {
 public:
  /// Moves time on; nothing runs until the executor is driven.
  virtual void advance(Duration by) noexcept = 0;
};

[[nodiscard]] std::shared_ptr<ManualClock> manual_clock(Instant start = {});

}  // namespace testing
}  // namespace v0
}  // namespace midplane
