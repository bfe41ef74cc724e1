#pragma once
/// Durations are nanoseconds from now; instants belong to the injected Clock and mean nothing elsewhere.

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++: durations alone; <chrono> with its calendars costs every user a tenth more to compile
#else
#include <chrono>
#endif
#include <cstdint>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// A span of time, everywhere in the API.
using Duration = std::chrono::nanoseconds;

/// A point on a bus's Clock: nanoseconds since that clock's own start. Never wall-clock time.
struct Instant {
  std::int64_t nanoseconds = 0;  ///< since the clock's own start

  /// Later than every other instant.
  static constexpr Instant never() noexcept { return {INT64_MAX}; }
  /// Earlier is less.
  friend constexpr auto operator<=>(Instant, Instant) noexcept = default;
  /// Saturates at `never()`, so that "now + a very long time" stays in the future.
  friend constexpr Instant operator+(Instant at, Duration by) noexcept {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(at.nanoseconds, by.count(), &sum)) return by.count() > 0 ? never() : Instant{INT64_MIN};
    return {sum};
  }
  /// Of two instants of one clock.
  friend constexpr Duration operator-(Instant a, Instant b) noexcept { return Duration{a.nanoseconds - b.nanoseconds}; }
};

}  // namespace v0
}  // namespace midplane
