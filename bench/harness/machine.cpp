#include "harness/machine.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <thread>
#include <vector>

namespace midplane::bench {
namespace {

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(static_cast<unsigned>(core), &set)) cores.push_back(core);
  if (cores.empty()) cores.push_back(0);
  return cores;
}

// Read before the first thread is pinned: later the answer would be one core.
const std::vector<int>& cores() {
  static const std::vector<int> found = allowed_cores();
  return found;
}

struct alignas(128) Line {
  std::atomic<std::uint32_t> word{0};
};

// Two threads that share one core would wait a time slice for each turn, so a long wait gives the core up.
void wait_for(const Line& line, std::uint32_t turn) {
  for (unsigned looks = 0; line.word.load(std::memory_order_acquire) != turn;)
    if (++looks % 20000 == 0) sched_yield();
}

}  // namespace

void pin(unsigned index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cores()[index % cores().size()]), &set);
  sched_setaffinity(0, sizeof set, &set);
}

void pin_receiver(unsigned index) {
  const auto others = static_cast<unsigned>(std::max<std::size_t>(cores().size() - 1, 1));
  pin(1 + index % others);
}

EveryCore::EveryCore() {
  CPU_ZERO(&before_);
  sched_getaffinity(0, sizeof before_, &before_);
  cpu_set_t all;
  CPU_ZERO(&all);
  for (const int core : cores()) CPU_SET(static_cast<unsigned>(core), &all);
  sched_setaffinity(0, sizeof all, &all);
}

EveryCore::~EveryCore() { sched_setaffinity(0, sizeof before_, &before_); }

double line_crossing_ns() {
  constexpr std::uint32_t batches = 15, rounds = 1000;
  (void)cores();
  Line line;
  std::thread other{[&line] {
    pin(1);
    for (std::uint32_t turn = 0; turn < batches * rounds; ++turn) {
      wait_for(line, 2 * turn + 1);
      line.word.store(2 * turn + 2, std::memory_order_release);
    }
  }};
  std::array<double, batches> figures{};
  std::thread here{[&line, &figures] {
    pin(0);
    std::uint32_t turn = 0;
    for (double& figure : figures) {
      const double start = now_seconds();
      for (std::uint32_t round = 0; round < rounds; ++round, ++turn) {
        line.word.store(2 * turn + 1, std::memory_order_release);
        wait_for(line, 2 * turn + 2);
      }
      figure = (now_seconds() - start) * 1e9 / (2.0 * rounds);
    }
  }};
  here.join();
  other.join();
  std::sort(figures.begin(), figures.end());
  return figures[batches / 2];
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string machine_line() {
  std::string model = "unknown processor";
  std::ifstream info{"/proc/cpuinfo"};
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
      model = line.substr(line.find(": ") + 2);
      break;
    }
  return model + ", " + std::to_string(cores().size()) + " cores, g++ " __VERSION__;
}

}  // namespace midplane::bench
