#pragma once
/// The memory orders a lock-free structure is built on, as a parameter: `Proven` is what ships; `Relaxed` is a seeded
/// defect that only `test/tsan/race_*.cpp` use, to show that ThreadSanitizer would see a missing order.

#include <atomic>
#include <cstddef>

#include "base/process_barrier.hpp"

namespace midplane::inline v0::base {

struct Proven {
  static constexpr std::memory_order acquire = std::memory_order_acquire;
  static constexpr std::memory_order release = std::memory_order_release;
  static constexpr std::memory_order acq_rel = std::memory_order_acq_rel;
  static constexpr std::memory_order seq_cst = std::memory_order_seq_cst;
  static bool all_threads() noexcept { return order_all_threads(); }
};

struct Relaxed {
  static constexpr std::memory_order acquire = std::memory_order_relaxed;
  static constexpr std::memory_order release = std::memory_order_relaxed;
  static constexpr std::memory_order acq_rel = std::memory_order_relaxed;
  static constexpr std::memory_order seq_cst = std::memory_order_relaxed;
  static bool all_threads() noexcept { return true; }
};

/// Words that different threads write stay this far apart: one line, and its neighbour that x86 fetches with it.
inline constexpr std::size_t line_bytes = 128;

}  // namespace midplane::inline v0::base
