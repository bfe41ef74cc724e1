#include "base/clock.hpp"

#include <algorithm>
#include <ctime>

namespace midplane::inline v0 {

namespace base {

namespace {

/// Twice the longest tick that Linux is built with.
constexpr Duration ticks_apart = std::chrono::milliseconds{20};

Instant read(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return {static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

Instant steady_now() noexcept { return read(CLOCK_MONOTONIC); }

bool has_passed(const Clock& clock, Instant due) noexcept {
  if (due == Instant::never()) return false;
  if (clock.is_system() && read(CLOCK_MONOTONIC_COARSE) + ticks_apart < due) return false;
  return due <= clock.now();
}

Instant kernel_deadline(const Clock& clock, Instant due) noexcept {
  if (due == Instant::never() || clock.is_system()) return due;
  const Instant now = clock.now();
  if (due <= now) return Instant{};
  return steady_now() + std::min(due - now, relook_injected);
}

namespace {

class SteadyClock final : public Clock {
 public:
  Instant now() const noexcept override { return steady_now(); }
  bool is_system() const noexcept override { return true; }
};

}  // namespace
}  // namespace base

std::shared_ptr<Clock> steady_clock() { return std::make_shared<base::SteadyClock>(); }

}  // namespace midplane::inline v0
