#pragma once
/// Where many threads hand things in and one takes them all out: one compare-exchange a push, no allocation, no limit,
/// first in first out. The things are linked through their own `next`.
///
/// Orders: `push` releases the item with its exchange, `take_all` acquires the head. Only pushes stand between them in
/// the word's history, and each continues the release sequence of those before, so the taker sees every item whole.
/// Taking swaps in an empty list, so a head that was reused (ABA) does no harm: the pushed item is linked to the head
/// that the exchange has just proven to be there. A taker that goes to sleep leaves a mark; the push that replaces it
/// acquires what the taker wrote before and is the only one that has to wake it.

#include <atomic>
#include <cstdint>

#include "base/orders.hpp"

namespace midplane::inline v0::base {

template <class T, class Orders = Proven>
class Intake {
 public:
  /// Any thread. True when this push replaced the taker's mark: the caller wakes the taker.
  bool push(T& item) noexcept {
    T* head = head_.load(std::memory_order_relaxed);
    do {
      item.next = head == marked() ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, &item, Orders::acq_rel, std::memory_order_relaxed));
    return head == marked();
  }

  /// One thread at a time: everything, oldest first, linked through `next`; null when there is nothing.
  [[nodiscard]] T* take_all() noexcept {
    if (is_empty(head_.load(std::memory_order_relaxed))) return nullptr;
    T* head = head_.exchange(nullptr, Orders::acquire);
    if (is_empty(head)) return nullptr;
    T* oldest = nullptr;
    while (head != nullptr) {
      T* const earlier = head->next;
      head->next = oldest;
      oldest = head;
      head = earlier;
    }
    return oldest;
  }

  /// Leaves a mark for the next push. False, and no mark, when something is there.
  bool mark() noexcept {
    T* head = head_.load(std::memory_order_relaxed);
    while (is_empty(head)) {
      // Also from mark to mark: the push that replaces it has to see what its writer of now has done.
      if (head_.compare_exchange_weak(head, marked(), Orders::acq_rel, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  [[nodiscard]] bool empty() const noexcept { return is_empty(head_.load(Orders::acquire)); }

 private:
  static T* marked() noexcept { return reinterpret_cast<T*>(std::uintptr_t{1}); }
  static bool is_empty(T* head) noexcept { return head == nullptr || head == marked(); }

  std::atomic<T*> head_{nullptr};
};

}  // namespace midplane::inline v0::base
