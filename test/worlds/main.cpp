/// Simulated worlds: `worlds --seeds FROM COUNT` runs so many, `worlds --seed N --trace` shows one.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "worlds/world.hpp"

namespace {

using namespace midplane::worlds;

constexpr const char* usage =
    "worlds --seeds FROM COUNT   run these worlds; stop at the first violation\n"
    "worlds --seed N [--trace]   run one world; --trace prints all that happens\n"
    "  --survey         run all seeds and count the violations of each invariant\n"
    "  --without NAME   an invariant that is not looked at; may be given again\n"
    "  --only NAME      the others are not looked at; may be given again\n"
    "  --twice          run every world twice: both runs must be equal\n"
    "  --defect N       with a seeded defect of scripts/mutants.txt\n"
    "  --list           the invariants\n";

struct Task {
  std::uint64_t first = 1, count = 1;
  Rules without, only;
  bool trace = false, survey = false, twice = false;
};

void print(const Trace::Line& line) { std::printf("%s\n", line.text.c_str()); }

/// The seed again with text: it is the same run.
void explain(std::uint64_t seed, const Rules& without, const Violation& violation) {
  const Outcome again = run_world({seed, without, true});
  const auto same = std::find_if(again.violations.begin(), again.violations.end(), [&](const Violation& v) { return v.rule == violation.rule; });
  const std::size_t end = same == again.violations.end() ? again.lines.size() : same->line;
  std::vector<const Trace::Line*> last;
  for (std::size_t i = end; i-- > 0 && last.size() < 40;)
    if (!again.lines[i].of_network) last.push_back(&again.lines[i]);
  for (auto line = last.rbegin(); line != last.rend(); ++line) print(**line);
  std::printf("seed %llu breaks %s (%s): %s\n", static_cast<unsigned long long>(seed), invariant(violation.rule).name.data(),
              invariant(violation.rule).promise.data(), violation.text.c_str());
}

int run(const Task& task) {
  struct Broken {
    std::uint64_t seeds = 0, first = 0;
    std::string text;
  };
  std::map<Rule, Broken> broken;
  std::chrono::nanoseconds simulated{};
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t seed = task.first; seed < task.first + task.count; ++seed) {
    const WorldOptions options{seed, task.without, task.trace};
    const Outcome outcome = task.twice ? run_world_twice(options) : run_world(options);
    simulated += outcome.lasted;
    if (task.trace) std::for_each(outcome.lines.begin(), outcome.lines.end(), print);
    for (const Violation& violation : outcome.violations) {
      Broken& one = broken[violation.rule];
      if (one.seeds++ != 0) continue;
      one.first = seed;
      one.text = violation.text;
    }
    if (outcome.violations.empty() || task.survey) continue;
    explain(seed, task.without, outcome.violations.front());
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  for (const auto& [rule, one] : broken)
    std::printf("%-28s %-11s %6llu seeds, first %llu: %s\n", invariant(rule).name.data(), invariant(rule).promise.data(),
                static_cast<unsigned long long>(one.seeds), static_cast<unsigned long long>(one.first), one.text.c_str());
  std::printf("%llu worlds, %.0f s simulated, %.2f s taken, %zu invariants broken\n", static_cast<unsigned long long>(task.count),
              std::chrono::duration<double>(simulated).count(), took.count(), broken.size());
  return broken.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  Task task;
  const auto number = [&](int i) { return i < count ? std::strtoull(words[i], nullptr, 10) : 0; };
  const auto rule = [&](int i) {
    const auto found = i < count ? rule_named(words[i]) : std::nullopt;
    if (!found) std::fprintf(stderr, "no such invariant; see --list\n"), std::exit(2);
    return static_cast<std::size_t>(*found);
  };
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--seeds") task.first = number(i + 1), task.count = number(i + 2), i += 2;
    else if (word == "--seed") task.first = number(++i);
    else if (word == "--trace") task.trace = true;
    else if (word == "--survey") task.survey = true;
    else if (word == "--twice") task.twice = true;
    else if (word == "--without") task.without.set(rule(++i));
    else if (word == "--only") task.only.set(rule(++i));
    else if (word == "--defect") choose_defect(static_cast<int>(number(++i)));
    else if (word == "--list") {
      for (std::size_t one = 0; one < rules; ++one) {
        const Invariant& it = invariant(static_cast<Rule>(one));
        std::printf("%-28s %-11s %s\n", it.name.data(), it.promise.data(), it.says.data());
      }
      return 0;
    } else {
      std::fputs(usage, stderr);
      return 2;
    }
  }
  if (task.only.any()) task.without |= ~task.only;
  return run(task);
}
