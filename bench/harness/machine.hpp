#pragma once
/// The machine a figure is from: which cores, how far apart they are now, how much CPU time was spent.

#include <sched.h>

#include <string>

namespace midplane::bench {

/// Keeps the calling thread on the index-th core this process may use (counted round when there are fewer).
void pin(unsigned index);

/// As a member it comes before what starts threads: they inherit the core.
struct Pinned {
  explicit Pinned(unsigned index) { pin(index); }
};

/// Where the receiving process of that index runs when its sender is on core 0: on none that it shares, while
/// there are others.
void pin_receiver(unsigned index);

/// While it lives the calling thread may use every core this process was started with.
class EveryCore {
 public:
  EveryCore();
  EveryCore(const EveryCore&) = delete;
  ~EveryCore();

 private:
  cpu_set_t before_;
};

/// Nanoseconds a cache line takes from core 0 to core 1 of `pin`, one way: the median of many short
/// ping-pongs between two pinned threads on one atomic word.
[[nodiscard]] double line_crossing_ns();

/// Below this the cores count as close. Virtual cores move, so it is asked before and after each pair.
inline constexpr double close_ns_max = 120;

/// CPU seconds, user and system, of all threads of this process so far.
[[nodiscard]] double cpu_seconds();

/// Seconds of the steady clock.
[[nodiscard]] double now_seconds();

/// Processor, cores and compiler, in one line.
[[nodiscard]] std::string machine_line();

}  // namespace midplane::bench
