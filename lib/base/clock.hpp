#pragma once
/// The steady clock without its object, and how long the kernel may sleep for a clock that is not the system's.

#include <midplane/extend/clock.hpp>
#include <midplane/time.hpp>

namespace midplane::inline v0::base {

/// What `steady_clock()->now()` answers.
[[nodiscard]] Instant steady_now() noexcept;

/// Until when to sleep in the kernel for something due at `due` on `clock`. A clock that is not the system's may jump:
/// then at most `relook_injected` from now, and the caller looks again.
[[nodiscard]] Instant kernel_deadline(const Clock& clock, Instant due) noexcept;

inline constexpr Duration relook_injected = std::chrono::milliseconds{1};

}  // namespace midplane::inline v0::base
