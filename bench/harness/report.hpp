#pragma once
/// The command line every bench program has, and what it prints: a table for people, JSON for machines.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/figure.hpp"
#include "harness/pairs.hpp"

namespace midplane::bench {

struct Arguments {
  Limits limits;
  std::string json;      ///< one JSON object a line is appended here; empty: none
  double ours_only = 0;  ///< seconds for which each figure runs our side alone, for a profiler; 0: measure
  std::string executor = "pool";  ///< tcp rows: where our receivers' handlers run
  /// Fewer messages in a quick run.
  [[nodiscard]] std::uint64_t messages(std::uint64_t full) const { return limits.quick ? full / 10 : full; }
};

/// `[--quick] [--seconds S] [--pairs N] [--json FILE] [--ours-only SECONDS] [--executor NAME]`; also
/// MIDPLANE_BENCH_SECONDS. Ends the program on anything else.
[[nodiscard]] Arguments arguments_of(int argc, char** argv);

/// Measures, prints the table and appends the JSON. False when the figure is invalid.
bool answer(Question question, const Side& ours, const Side& theirs, const Arguments& arguments);
/// The same with pairs that were measured before, for a second figure of them.
bool answer(Question question, const std::vector<Pair>& pairs, const Arguments& arguments);
bool report(const Figure& figure, const Arguments& arguments);
/// Only runs our side when `--ours-only` asks for that: prints what it reached and answers true.
bool ran_alone(const Question& question, const Side& ours, const Arguments& arguments);

[[nodiscard]] std::string table_of(const Figure& figure);
[[nodiscard]] std::string json_of(const Figure& figure);

}  // namespace midplane::bench
