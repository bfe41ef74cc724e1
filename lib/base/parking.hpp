#pragma once
/// Two places to sleep without losing a wake-up. `Parking` is for any number of threads that wait for something to
/// become true; `Parker` belongs to one thread and holds one token.

#include <atomic>
#include <cstdint>

#include "base/futex.hpp"
#include "base/orders.hpp"

namespace midplane::inline v0::base {

/// An eventcount:
///
///     waiter: key = prepare(); if (it is true) cancel(); else wait(key, until);      then look again
///     waker:  make it true; wake_all();
///
/// Orders: both sides first change the same word with a read-modify-write, so one of the two comes first. If it is the
/// waiter, the waker sees it counted and wakes. If it is the waker, the waiter's change acquires it and its look sees
/// what was made true. No fence is needed, so ThreadSanitizer follows the argument.
template <class Orders>
class BasicParking {
 public:
  using Key = std::uint32_t;

  [[nodiscard]] Key prepare() noexcept { return epoch(state_.fetch_add(1, Orders::acq_rel)); }
  void cancel() noexcept { state_.fetch_sub(1, std::memory_order_relaxed); }
  /// Ends the wait that `prepare` began. False only at the deadline (of the steady clock).
  bool wait(Key key, Instant until) noexcept {
    bool in_time = true;
    while (in_time && epoch(state_.load(Orders::acquire)) == key)
      in_time = futex_wait(high_half_of(state_), key, until);
    cancel();
    return in_time;
  }
  /// Wakes all that wait; without a waiter no call to the kernel.
  void wake_all() noexcept {
    const std::uint64_t before = state_.fetch_add(one_epoch, Orders::acq_rel);
    if (static_cast<std::uint32_t>(before) != 0) futex_wake(high_half_of(state_), all_threads);
  }

 private:
  static constexpr std::uint64_t one_epoch = std::uint64_t{1} << 32;
  static constexpr Key epoch(std::uint64_t state) noexcept { return static_cast<Key>(state >> 32); }
  std::atomic<std::uint64_t> state_{0};  ///< epoch above, where it may overflow; waiters below
};

/// Orders: `unpark` releases with its exchange, `park` acquires with the exchange that takes the token.
template <class Orders>
class BasicParker {
 public:
  /// Its own thread only. Returns with the token taken (true) or at the deadline (false).
  bool park(Instant until) noexcept {
    std::uint32_t expected = empty;
    if (!word_.compare_exchange_strong(expected, parked, std::memory_order_relaxed)) return take();
    while (futex_wait(address_of(word_), parked, until))
      if (word_.load(std::memory_order_relaxed) == token) return take();
    return take();
  }
  /// Any thread. A call to the kernel only when its thread sleeps.
  void unpark() noexcept {
    if (word_.exchange(token, Orders::acq_rel) == parked) futex_wake(address_of(word_), 1);
  }

 private:
  bool take() noexcept { return word_.exchange(empty, Orders::acquire) == token; }

  static constexpr std::uint32_t empty = 0, token = 1, parked = 2;
  std::atomic<std::uint32_t> word_{empty};
};

using Parking = BasicParking<Proven>;
using Parker = BasicParker<Proven>;

}  // namespace midplane::inline v0::base
