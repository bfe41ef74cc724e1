#pragma once
/// The names of a world.

#include <array>
#include <string_view>

#include <midplane/midplane.hpp>

#include "worlds/payload.hpp"

namespace midplane::worlds {

inline constexpr Topic<Tick> tick_a{"sim.tick.a"};
inline constexpr Topic<Tick> tick_b{"sim.tick.b"};
inline constexpr Topic<Bytes> raw{"sim.raw"};
inline constexpr Topic<Tick> state{"sim.state"};
inline constexpr Topic<Bytes> job{"sim.job"};

/// By number, as a Stamp names them. `state` is retained; `job` is for a queue group.
inline constexpr std::array<std::string_view, 5> topics{tick_a.name(), tick_b.name(), raw.name(), state.name(), job.name()};
inline constexpr std::uint32_t state_topic = 3;
inline constexpr std::uint32_t job_topic = 4;

inline std::size_t topic_number(std::string_view name) {
  std::size_t i = 0;
  while (i < topics.size() && topics[i] != name) ++i;
  return i;
}

inline constexpr Service<Bytes, Bytes> ask{"sim.ask"};
inline constexpr Service<Bytes, Bytes> feed{"sim.feed"};

inline constexpr Duration heartbeat = std::chrono::seconds{1};

}  // namespace midplane::worlds
