#pragma once
/// Looking again for a moment before sleeping. Two threads that spin at once take each other's core away, so there is
/// one turn per process.

#include <sched.h>

#include "base/clock.hpp"

namespace midplane::inline v0::base {

/// The turn to spin; false when another thread has it. Whoever got it gives it back.
[[nodiscard]] bool take_spin_turn() noexcept;
void give_spin_turn() noexcept;

inline constexpr Duration spin_max = std::chrono::microseconds{50};

/// Calls `look` between `sched_yield`s until it answers true, or for `spin_max`. False at once without the turn.
template <class Look>
bool spin(Look&& look) noexcept {
  if (!take_spin_turn()) return false;
  const Instant until = steady_now() + spin_max;
  bool found = look();
  while (!found && steady_now() < until) {
    sched_yield();
    found = look();
  }
  give_spin_turn();
  return found;
}

}  // namespace midplane::inline v0::base
