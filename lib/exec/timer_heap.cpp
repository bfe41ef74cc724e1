#include "exec/timer_heap.hpp"

#include <utility>

namespace midplane::inline v0::exec {

// `child` is the first of a list of children; `next` is the next sibling; `previous` is the sibling before, or the
// parent of the first child. The root has neither.
namespace {

bool goes_before(const TimerWork& a, const TimerWork& b) noexcept {
  return a.due != b.due ? a.due < b.due : a.position < b.position;
}

/// Makes one tree of two roots.
TimerWork* meld(TimerWork* a, TimerWork* b) noexcept {
  if (a == nullptr) return b;
  if (b == nullptr) return a;
  if (goes_before(*b, *a)) std::swap(a, b);
  b->previous = a;
  b->next = a->child;
  if (a->child) a->child->previous = b;
  a->child = b;
  return a;
}

/// Makes one tree of a list of siblings: melds them in pairs, then the pairs from the last to the first. The two
/// passes are what makes taking the top O(log n) amortised.
TimerWork* meld_list(TimerWork* first) noexcept {
  TimerWork* pairs = nullptr;  // linked through `next`, last pair first
  while (first != nullptr) {
    TimerWork* const second = first->next;
    TimerWork* const rest = second ? second->next : nullptr;
    first->next = first->previous = nullptr;
    if (second) second->next = second->previous = nullptr;
    TimerWork* const pair = meld(first, second);
    pair->next = pairs;
    pairs = pair;
    first = rest;
  }
  TimerWork* root = nullptr;
  while (pairs != nullptr) {
    TimerWork* const pair = pairs;
    pairs = pair->next;
    pair->next = nullptr;
    root = meld(root, pair);
  }
  return root;
}

void forget(TimerWork& timer) noexcept {
  timer.child = timer.previous = timer.next = nullptr;
  timer.position = TimerWork::npos;
}

}  // namespace

void TimerHeap::push(TimerWork& timer) noexcept {
  timer.child = timer.previous = timer.next = nullptr;
  timer.position = next_position_++;
  root_ = meld(root_, &timer);
}

bool TimerHeap::remove(TimerWork& timer) noexcept {
  if (timer.position == TimerWork::npos) return false;
  TimerWork* const orphans = meld_list(timer.child);
  if (&timer == root_) {
    root_ = orphans;
  } else {
    if (timer.previous->child == &timer) timer.previous->child = timer.next;
    else timer.previous->next = timer.next;
    if (timer.next) timer.next->previous = timer.previous;
    root_ = meld(root_, orphans);
  }
  forget(timer);
  return true;
}

TimerWork* TimerHeap::pop_due(Instant now, std::size_t before) noexcept {
  TimerWork* const top = root_;
  if (top == nullptr || top->due > now || top->position >= before) return nullptr;
  remove(*top);
  return top;
}

void TimerHeap::clear() noexcept {
  // Flattens while it walks: a child list is put in front of what is still to do.
  TimerWork* rest = std::exchange(root_, nullptr);
  while (rest != nullptr) {
    TimerWork* const timer = rest;
    rest = timer->next;
    if (TimerWork* const child = timer->child) {
      TimerWork* last = child;
      while (last->next) last = last->next;
      last->next = rest;
      rest = child;
    }
    forget(*timer);
  }
}

}  // namespace midplane::inline v0::exec
