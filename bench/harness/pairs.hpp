#pragma once
/// Interleaved measuring: ours, theirs, ours, theirs, until enough pairs ran with the cores close.

#include <cstdint>
#include <functional>
#include <vector>

#include "harness/figure.hpp"
#include "harness/machine.hpp"

namespace midplane::bench {

using Side = std::function<Sample()>;

struct Limits {
  std::size_t pairs = 5;  ///< close ones, or apart ones when the time is over
  double seconds = 600;   ///< of trying to get the cores close
  bool quick = false;     ///< five pairs of any distance: to see that it runs
};

/// Runs both sides once unmeasured, then pairs.
[[nodiscard]] std::vector<Pair> measure_pairs(const Side& ours, const Side& theirs, const Limits& limits);

/// What a value is: M messages per second, or microseconds per message.
enum class Per : std::uint8_t { second, message };

/// `messages` through one side, each delivered `deliveries_each` times. The side has `double run(messages)`,
/// the seconds from the first message to the last, and `lost()`.
template <class Traffic>
Sample sample(Traffic& traffic, std::uint64_t messages, std::uint64_t deliveries_each = 1,
              Per per = Per::second) {
  const double cpu_before = cpu_seconds();
  const double seconds = traffic.run(messages);
  const double millions = static_cast<double>(messages * deliveries_each) * 1e-6;
  return {.value = per == Per::second ? millions / seconds : seconds / millions,
          .cpu_per_million = (cpu_seconds() - cpu_before) / millions,
          .lost = traffic.lost()};
}

}  // namespace midplane::bench
