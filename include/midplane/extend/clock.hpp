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
  [[nodiscard]] virtual Instant now() const noexcept = 0;
};

/// The system's monotonic clock.
[[nodiscard]] std::shared_ptr<Clock> steady_clock();

}  // namespace v0
}  // namespace midplane
