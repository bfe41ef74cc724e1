#pragma once
/// One question, what was measured for it, and what that says about its bar.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace midplane::bench {

/// One side of a pair.
struct Sample {
  double value = 0;            ///< in the question's unit
  double cpu_per_million = 0;  ///< CPU seconds per million messages; both sides of the traffic
  std::uint64_t lost = 0;      ///< any loss makes the figure invalid
};

/// Ours and the rival's, one right after the other, with the line crossing before and after.
struct Pair {
  Sample ours, theirs;
  double crossing_before_ns = 0, crossing_after_ns = 0;
  [[nodiscard]] bool is_close() const;
};

/// What a bar is compared with: ours by theirs, or ours alone.
enum class Judged : std::uint8_t { ratio, value };

struct Question {
  std::string row{};       ///< the name of `bench/run --rows`
  std::string question{};  ///< one line
  std::string unit{};
  std::string rival{};                  ///< empty: there is none
  std::optional<double> bar{}, goal{};  ///< none: information beside another figure of the row
  bool higher_is_better = true;
  Judged judged = Judged::ratio;
  /// What the rival reaches in measures.md, cores apart and close; 0: no figure there.
  double published_apart = 0, published_close = 0;
  std::string setting{};  ///< queue bounds, waiting strategy, lane structure
};

/// The pairs of one distance, summed up.
struct Summary {
  std::size_t pairs = 0;
  double ours = 0, theirs = 0, ratio = 0,
         spread = 0;  ///< medians; ratio and spread are of the pairs' own ratios
  double ours_cpu = 0, theirs_cpu = 0, crossing_ns = 0;
};

struct Figure {
  Question question;
  Summary close, apart;
  bool counts_close = false;  ///< which of the two counts
  bool is_quick = false;
  std::uint64_t lost = 0;

  [[nodiscard]] const Summary& counted() const { return counts_close ? close : apart; }
  /// What the bar is compared with.
  [[nodiscard]] double judged_value() const;
  [[nodiscard]] bool reaches(double limit) const;
  /// Why the figure says nothing; empty when it does.
  [[nodiscard]] std::string fault() const;
  [[nodiscard]] std::string verdict() const;
};

/// The same pairs, valued by their CPU seconds per million messages.
[[nodiscard]] std::vector<Pair> seen_as_cpu(std::vector<Pair> pairs);

/// `pairs_needed` close pairs make the close ones count.
[[nodiscard]] Figure sum_up(Question question, const std::vector<Pair>& pairs, std::size_t pairs_needed);

}  // namespace midplane::bench
