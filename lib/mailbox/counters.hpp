#pragma once
/// Loss is counted where it happens, by this one function; the build with seeded defects can silence a reason.

#include <array>
#include <atomic>
#include <cstdint>

#include <midplane/stats.hpp>

#include "base/defect.hpp"

namespace midplane::inline v0::mailbox {

struct DropCounters {
  std::array<std::atomic<std::uint64_t>, drop_reasons> by_reason{};

  void add_to(Drops& sum) const noexcept {
    for (std::size_t i = 0; i < drop_reasons; ++i)
      sum.by_reason[i] += by_reason[i].load(std::memory_order_relaxed);
  }
};

inline void count_drop(DropCounters& counters, DropReason reason, std::uint64_t messages = 1) noexcept {
  if (base::defect(static_cast<int>(reason) + 1)) return;
  counters.by_reason[static_cast<std::size_t>(reason)].fetch_add(messages, std::memory_order_relaxed);
}

/// Adds one to a counter that has a single writer at a time: no read-modify-write.
inline void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace midplane::inline v0::mailbox
