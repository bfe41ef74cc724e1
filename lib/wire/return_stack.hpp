#pragma once
/// Where dead envelopes come home: any thread pushes chains, the owner takes all of them at once.
///
/// Memory orders: a returner publishes the chain with a release CAS; the owner takes everything with an acquire CAS.
/// Nobody pops a single element, so there is no ABA. A mark ends it: the returner then keeps its chain.

#include <atomic>
#include <cstdint>

#include "base/orders.hpp"
#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// `Orders`: base::Proven, or a seeded defect in the tests.
template <class Orders = base::Proven>
class ReturnStack {
 public:
  /// False when it was closed: the chain stays the caller's and ends with `last`.
  bool push(Envelope* first, Envelope* last) noexcept {
    Envelope* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == closed_mark()) {
        last->next = nullptr;
        return false;
      }
      last->next = head;
    } while (!head_.compare_exchange_weak(head, first, Orders::release, std::memory_order_relaxed));
    return true;
  }
  /// Everything that is home, linked by `next`; null when there is nothing or it was closed.
  Envelope* take_all() noexcept {
    Envelope* chain = head_.load(std::memory_order_relaxed);
    do {
      if (chain == nullptr || chain == closed_mark()) return nullptr;
    } while (!head_.compare_exchange_weak(chain, nullptr, Orders::acquire, std::memory_order_relaxed));
    return chain;
  }
  /// Takes everything and lets nothing in any more.
  Envelope* close() noexcept {
    Envelope* chain = head_.exchange(closed_mark(), Orders::acq_rel);
    return chain == closed_mark() ? nullptr : chain;
  }
  [[nodiscard]] bool is_closed() const noexcept { return head_.load(std::memory_order_relaxed) == closed_mark(); }

 private:
  static Envelope* closed_mark() noexcept { return reinterpret_cast<Envelope*>(std::uintptr_t{64}); }
  std::atomic<Envelope*> head_{nullptr};
};

}  // namespace midplane::inline v0::wire
