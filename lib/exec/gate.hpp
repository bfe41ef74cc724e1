#pragma once
/// Who is inside, so that a stop can wait until nobody is. A thread that stops from inside does not count itself, nor
/// others that do the same: two handlers that stop one executor must not wait for each other.

#include <atomic>
#include <cstdint>

#include "base/futex.hpp"

namespace midplane::inline v0::exec {

class Gate {
 public:
  /// False when the gate is closed.
  [[nodiscard]] bool enter() noexcept {
    if ((word_.fetch_add(1, std::memory_order_acquire) & closed) == 0) return true;
    leave();
    return false;
  }
  void leave() noexcept { change(-1); }
  void close() noexcept { word_.fetch_or(closed, std::memory_order_acq_rel); }
  [[nodiscard]] bool is_closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed) != 0; }

  /// After `close`: waits until everybody left, or, when the caller is inside, everybody who does not wait here too.
  bool wait_until_left(bool caller_is_inside, Instant until) noexcept {
    if (caller_is_inside) change(excused_one);
    bool left = false;
    while (true) {
      const std::uint32_t word = word_.load(std::memory_order_acquire);
      const std::uint32_t inside = word & inside_mask;
      const std::uint32_t excused = (word & ~closed) / excused_one;
      left = inside == (caller_is_inside ? excused : 0);
      if (left || !base::futex_wait(base::address_of(word_), word, until)) break;
    }
    if (caller_is_inside) change(-excused_one);
    return left;
  }

 private:
  static constexpr std::uint32_t closed = std::uint32_t{1} << 31;
  static constexpr int excused_one = 1 << 20;  ///< up to a million threads inside, two thousand of them stopping
  static constexpr std::uint32_t inside_mask = excused_one - 1;

  void change(int by) noexcept {
    const std::uint32_t before = word_.fetch_add(static_cast<std::uint32_t>(by), std::memory_order_acq_rel);
    // The kernel only compares the address: a waiter may have freed the gate by now, then nobody is woken.
    if (before & closed) base::futex_wake(base::address_of(word_), base::all_threads);
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace midplane::inline v0::exec
