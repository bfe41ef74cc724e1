#include "harness/figure.hpp"

#include "harness/machine.hpp"
#include "harness/statistics.hpp"

namespace midplane::bench {
namespace {

// The published figures are from cores 300 ns apart; a line that takes longer still is another machine.
constexpr double alike_ns_max = 360;

Summary sum_up(const std::vector<Pair>& pairs, bool close) {
  std::vector<double> ours, theirs, ratios, ours_cpu, theirs_cpu, crossings;
  for (const Pair& pair : pairs) {
    if (pair.is_close() != close) continue;
    ours.push_back(pair.ours.value);
    theirs.push_back(pair.theirs.value);
    if (pair.theirs.value > 0) ratios.push_back(pair.ours.value / pair.theirs.value);
    ours_cpu.push_back(pair.ours.cpu_per_million);
    theirs_cpu.push_back(pair.theirs.cpu_per_million);
    crossings.push_back((pair.crossing_before_ns + pair.crossing_after_ns) / 2);
  }
  return {.pairs = ours.size(),
          .ours = median(ours),
          .theirs = median(theirs),
          .ratio = median(ratios),
          .spread = ratios.empty() ? spread(ours) : spread(ratios),
          .ours_cpu = median(ours_cpu),
          .theirs_cpu = median(theirs_cpu),
          .crossing_ns = median(crossings)};
}

}  // namespace

bool Pair::is_close() const { return crossing_before_ns < close_ns_max && crossing_after_ns < close_ns_max; }

double Figure::judged_value() const {
  return question.judged == Judged::ratio ? counted().ratio : counted().ours;
}

bool Figure::reaches(double limit) const {
  return question.higher_is_better ? judged_value() >= limit : judged_value() <= limit;
}

std::string Figure::fault() const {
  if (counted().pairs == 0) return "nothing was measured";
  if (lost != 0) return "lost " + std::to_string(lost) + " messages";
  const double published = counts_close ? question.published_close : question.published_apart;
  const double part = question.higher_is_better ? counted().theirs / published : published / counted().theirs;
  if (published > 0 && part < 0.5 && counted().crossing_ns <= alike_ns_max)
    return "the rival is below half of its published figure";
  return {};
}

std::string Figure::verdict() const {
  if (const std::string why = fault(); !why.empty()) return "INVALID: " + why;
  if (!question.bar) return "for information";
  if (question.goal && reaches(*question.goal)) return "goal";
  return reaches(*question.bar) ? "bar" : "MISSED";
}

std::vector<Pair> seen_as_cpu(std::vector<Pair> pairs) {
  for (Pair& pair : pairs)
    for (Sample* sample : {&pair.ours, &pair.theirs}) sample->value = sample->cpu_per_million;
  return pairs;
}

Figure sum_up(Question question, const std::vector<Pair>& pairs, std::size_t pairs_needed) {
  Figure figure;
  figure.question = std::move(question);
  figure.close = sum_up(pairs, true);
  figure.apart = sum_up(pairs, false);
  figure.counts_close = figure.close.pairs >= pairs_needed || figure.apart.pairs < figure.close.pairs;
  for (const Pair& pair : pairs) figure.lost += pair.ours.lost + pair.theirs.lost;
  return figure;
}

}  // namespace midplane::bench
