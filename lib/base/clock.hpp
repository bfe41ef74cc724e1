#pragma once
/// The steady clock without its object, and how long the kernel may sleep for a clock that is not the system's.

#include <midplane/extend/clock.hpp>
#include <midplane/time.hpp>

namespace midplane::inline v0::base {

/// What `steady_clock()->now()` answers.
[[nodiscard]] Instant steady_now() noexcept;

/// Whether `due` is now or was before. For the system's clock a look at its coarse form, the time of the last tick, is
/// enough while `due` is far ahead: a quarter of the cost of `now`.
[[nodiscard]] bool has_passed(const Clock& clock, Instant due) noexcept;

/// Until when to sleep in the kernel for something due at `due` on `clock`. A clock that is not the system's may jump:
/// then at most `relook_injected` from now, and the caller looks again.
[[nodiscard]] Instant kernel_deadline(const Clock& clock, Instant due) noexcept;

inline constexpr Duration relook_injected = std::chrono::milliseconds{1};

}  // namespace midplane::inline v0::base
