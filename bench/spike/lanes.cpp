// What is a lane made of? Decision 2 asks it: each candidate in its smallest form, each question several
// times, the candidates interleaved. Prints medians in M deliveries per second, for cores close and apart.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "harness/machine.hpp"
#include "harness/statistics.hpp"
#include "spike/candidate.hpp"

namespace midplane::bench {
namespace {

struct Asked {
  const char* name;
  Ask ask;
};

std::vector<Asked> questions(std::uint64_t messages) {
  const std::uint64_t few = messages / 4;
  return {{"1-1", {.messages = messages}},
          {"1-1 x16", {.messages = messages, .burst = 16}},
          {"1-1 calm", {.messages = messages, .poll = Poll::calm}},
          {"8-1", {.messages = messages / 8, .senders = 8}},
          {"1-8", {.messages = few, .readers = 8}},
          {"1-8 x16", {.messages = few, .readers = 8, .burst = 16}},
          {"1-8 calm", {.messages = few, .readers = 8, .poll = Poll::calm}},
          {"link", {.messages = messages, .to_link = true}},
          {"link x16", {.messages = messages, .burst = 16, .to_link = true}}};
}

struct Cell {
  std::vector<double> close, apart, close_ns, apart_ns;
  void add(double figure, double crossing) {
    const bool is_close = crossing < close_ns_max;
    (is_close ? close : apart).push_back(figure);
    (is_close ? close_ns : apart_ns).push_back(crossing);
  }
};

void print(const char* distance, bool close, const std::vector<Candidate>& candidates,
           const std::vector<Asked>& asked, const std::vector<std::vector<Cell>>& cells) {
  std::printf("\ncores %s: M deliveries/s (line crossing in ns; runs)\n%-26s", distance, "");
  for (const Asked& one : asked) std::printf("%17s", one.name);
  for (std::size_t at = 0; at < candidates.size(); ++at) {
    std::printf("\n%-26s", candidates[at].name);
    for (const Cell& cell : cells[at]) {
      const auto& figures = close ? cell.close : cell.apart;
      if (figures.empty())
        std::printf("%17s", "-");
      else
        std::printf("%7.1f (%3.0f; %2zu)", median(figures), median(close ? cell.close_ns : cell.apart_ns),
                    figures.size());
    }
  }
  std::printf("\n");
}

int run(std::uint64_t messages, unsigned rounds) {
  const std::vector<Candidate> candidates{pointers_through_boost(), pointers_through_own_ring(),
                                          values_through_boost(),   bytes_in_band(),
                                          log_with_cursors(),       pointers_through_mpmc()};
  const std::vector<Asked> asked = questions(messages);
  std::vector<std::vector<Cell>> cells(candidates.size(), std::vector<Cell>(asked.size()));
  std::printf("%s\nlanes of %llu messages of 64 bytes, %llu messages a run, %u rounds\n",
              machine_line().c_str(), static_cast<unsigned long long>(lane_messages),
              static_cast<unsigned long long>(messages), rounds);
  for (unsigned round = 0; round < rounds; ++round)
    for (std::size_t question = 0; question < asked.size(); ++question)
      for (std::size_t at = 0; at < candidates.size(); ++at) {
        const double before = line_crossing_ns();
        const double figure = candidates[at].deliver(candidates[at].name, asked[question].ask);
        const double after = line_crossing_ns();
        // The cores moved meanwhile: the figure is of neither kind.
        if ((before < close_ns_max) == (after < close_ns_max))
          cells[at][question].add(figure, (before + after) / 2);
      }
  print("close", true, candidates, asked, cells);
  print("apart", false, candidates, asked, cells);
  return 0;
}

}  // namespace
}  // namespace midplane::bench

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const unsigned rounds =
      argc > 2 && std::strcmp(argv[1], "--rounds") == 0 ? static_cast<unsigned>(std::atoi(argv[2])) : 9;
  return midplane::bench::run(quick ? 160000 : 800000, quick ? 1 : rounds);
}
