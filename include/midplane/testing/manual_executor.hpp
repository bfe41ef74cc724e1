#pragma once
/// A manual executor over a manual clock: one thread, no waiting, the same order every time.

#include <memory>

#include <midplane/executors.hpp>
#include <midplane/testing/manual_clock.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {
namespace testing {

using midplane::ManualExecutor;
using midplane::manual_executor;

/// Moves `clock` on by `duration`, stopping at each timer on the way, and runs what is ready at every stop. Returns the
/// number of works and timers run. The clock may be shared by several executors: run each of them.
std::size_t run_through(ManualExecutor& executor, ManualClock& clock, Duration duration) noexcept;

}  // namespace testing
}  // namespace v0
}  // namespace midplane
