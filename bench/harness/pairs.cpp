#include "harness/pairs.hpp"

#include <algorithm>

namespace midplane::bench {
namespace {

bool is_enough(const std::vector<Pair>& pairs, double elapsed, const Limits& limits) {
  const auto close = static_cast<std::size_t>(std::ranges::count_if(pairs, &Pair::is_close));
  if (limits.quick) return pairs.size() >= limits.pairs;
  if (close >= limits.pairs) return true;
  return elapsed >= limits.seconds && pairs.size() - close >= limits.pairs;
}

}  // namespace

std::vector<Pair> measure_pairs(const Side& ours, const Side& theirs, const Limits& limits) {
  (void)ours();
  (void)theirs();
  std::vector<Pair> pairs;
  const double start = now_seconds();
  // Time alone ends it too: the cores may change their distance faster than either kind gathers.
  while (!is_enough(pairs, now_seconds() - start, limits) && now_seconds() - start < 2 * limits.seconds) {
    Pair pair;
    pair.crossing_before_ns = line_crossing_ns();
    pair.ours = ours();
    pair.theirs = theirs();
    pair.crossing_after_ns = line_crossing_ns();
    pairs.push_back(pair);
  }
  return pairs;
}

}  // namespace midplane::bench
