#pragma once
/// A memory barrier on all threads of the process at once. Who goes to rest seldom pays for it, so that who tells often need
/// not: a store and a load behind it, kept apart by `order_for_compiler`, are as good as kept apart by a fence when the
/// other side calls `order_all_threads` between its own store and its load (Linux membarrier(2), "private expedited").

#include <atomic>

namespace midplane::inline v0::base {

/// False where the system can not do it, or refused it once: then only a fence on each side will do.
[[nodiscard]] bool can_order_all_threads() noexcept;
/// False where the system refuses: it could before, so a process was forbidden to since. Nothing is ordered then, but what was
/// stored before has arrived: it has waited a millisecond. Else some microseconds. Leaves errno alone.
[[nodiscard]] bool order_all_threads() noexcept;

inline void order_for_compiler() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace midplane::inline v0::base
