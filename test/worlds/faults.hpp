#pragma once
/// What goes wrong in a world, and when.

#include <vector>

#include "worlds/dice.hpp"

namespace midplane::worlds {

enum class Fault : std::uint8_t {
  cut,          ///< nothing passes between a and b; nobody is told
  cut_one_way,  ///< nothing passes from a to b
  half_open,    ///< a learns that its connection with b is down, b does not
  disconnect,   ///< every connection between a and b ends, at both ends
  flaky,        ///< frames between a and b end their connection now and then
  corrupt,      ///< bytes from a to b change
  duplicate,    ///< frames from a to b come twice
  slow,         ///< little room between a and b, and long delays
  crash,        ///< a dies; its peers are told; it starts again later
  vanish,       ///< a dies behind a cut: nobody is told
  leave,        ///< a says goodbye, and starts again later
  burst,        ///< a publishes more than a queue holds
};
inline constexpr std::size_t fault_kinds = 12;
[[nodiscard]] std::string_view name_of(Fault fault) noexcept;

struct Planned {
  Instant at;
  Fault kind{};
  unsigned a = 0, b = 0;
  Duration length{};
  bool is_end = false;
};

/// At least one cut, one crash and one burst; in order of time, without the ends.
[[nodiscard]] std::vector<Planned> plan(Dice& dice, unsigned hosts, Duration during);

}  // namespace midplane::worlds
