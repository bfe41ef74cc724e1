#pragma once
/// A lock for a few lines of code: uncontended, one atomic exchange to lock and one plain store to unlock. A second
/// caller looks again briefly, then sleeps.
///
/// Orders: `lock` takes with acquire what `unlock` gave with release; a plain store is enough for that. Whether
/// somebody sleeps is a second word, and "store flag, load sleepers" against "count in sleepers, look at flag" would
/// need a full barrier in every unlock to be certain. Instead a sleeper looks again after `relook`: an unlock whose
/// store was still on its way while its load had been answered costs that much, once; it cannot cost the lock.
///
/// A sleeper that was woken may wait for its core until the owner's time slice ends, while the owner goes on and unlocks
/// a thousand times more. `woken_` spares those calls to the kernel: it stays set from a wake that met a sleeper until a
/// sleeper has looked again. A wake that met nobody, as the sleeper was still on its way into the kernel, leaves it clear:
/// the next unlock calls again. All about it is relaxed: who reads it too late has a sleeper look again after `relook`.

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/orders.hpp"
#include "base/pause.hpp"

namespace midplane::inline v0::base {

/// Named like a mutex, so `std::lock_guard` takes it. Not recursive. `unlock` looks at the object once more after it
/// let go: what holds the flag must outlive that call.
template <class Orders>
class BasicFlag {
 public:
  BasicFlag() noexcept = default;
  BasicFlag(const BasicFlag&) = delete;
  BasicFlag& operator=(const BasicFlag&) = delete;

  void lock() noexcept {
    if (locked_.exchange(1, Orders::acquire) != 0) lock_slowly([] { return false; });
  }
  /// Gives up, with false, when `hopeless` says so; that is asked before each sleep of at most a millisecond.
  template <class Hopeless>
  [[nodiscard]] bool lock_unless(Hopeless&& hopeless) noexcept {
    return locked_.exchange(1, Orders::acquire) == 0 || lock_slowly(hopeless);
  }
  [[nodiscard]] bool try_lock() noexcept {
    return locked_.load(std::memory_order_relaxed) == 0 && locked_.exchange(1, Orders::acquire) == 0;
  }
  void unlock() noexcept {
    locked_.store(0, Orders::release);
    if (sleepers_.load(std::memory_order_relaxed) != 0) wake();
  }

 private:
  // About a microsecond: longer than the sections we guard, shorter than a trip through the kernel.
  static constexpr int looks = 32;
  static constexpr Duration relook = std::chrono::milliseconds{1};

  template <class Hopeless>
  bool lock_slowly(Hopeless&& hopeless) noexcept {
    for (int look = 0; look < looks && sleepers_.load(std::memory_order_relaxed) == 0; ++look) {
      if (try_lock()) return true;
      pause();
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    bool locked = locked_.exchange(1, Orders::acquire) == 0;
    while (!locked && !hopeless()) {
      woken_.store(false, std::memory_order_relaxed);
      futex_wait(address_of(locked_), 1, steady_now() + relook);
      locked = locked_.exchange(1, Orders::acquire) == 0;
    }
    woken_.store(false, std::memory_order_relaxed);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return locked;
  }
  void wake() noexcept {
    if (woken_.load(std::memory_order_relaxed)) return;
    woken_.store(true, std::memory_order_relaxed);
    if (!futex_wake(address_of(locked_), 1)) woken_.store(false, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> locked_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<bool> woken_{false};
};

using Flag = BasicFlag<Proven>;

}  // namespace midplane::inline v0::base
