#pragma once
/// Sleeping in the kernel until a word changes. Deadlines are instants of the steady clock (CLOCK_MONOTONIC).

#include <atomic>
#include <climits>
#include <cstdint>

#include <midplane/time.hpp>

namespace midplane::inline v0::base {

/// Sleeps while `*word == expected`, until woken or `until`. May wake without reason. False only at the deadline.
bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Instant until) noexcept;
/// True when somebody was woken, or may be: a wake that is put off counts as one.
bool futex_wake(const std::uint32_t* word, int threads) noexcept;

/// While one stands, this thread's wakes are put off until it ends, or the thread itself waits: who completes many things
/// in a row wakes each sleeper once, and not before there is nothing left to complete. A word that is gone by then is
/// woken to no effect, as every waiter here looks again.
class WakesLater {
 public:
  WakesLater() noexcept;
  WakesLater(const WakesLater&) = delete;
  ~WakesLater();
  /// Those of this thread, at once: before it does something that may take long.
  static void now() noexcept;
};

inline constexpr int all_threads = INT_MAX;

inline const std::uint32_t* address_of(const std::atomic<std::uint32_t>& word) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free);
  return reinterpret_cast<const std::uint32_t*>(&word);
}

/// The high half of a word of 64 bits; the library is little-endian only.
inline const std::uint32_t* high_half_of(const std::atomic<std::uint64_t>& word) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint64_t) && std::atomic<std::uint64_t>::is_always_lock_free);
  return reinterpret_cast<const std::uint32_t*>(&word) + 1;
}

}  // namespace midplane::inline v0::base
