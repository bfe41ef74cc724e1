#include "exec/idle_set.hpp"

namespace midplane::inline v0::exec {

void IdleSet::sit(Seat& seat) noexcept {
  const std::lock_guard lock{flag_};
  seat.taken = true;
  if (watcher_ == nullptr) {
    watcher_ = &seat;
  } else {
    seat.above = nullptr;
    seat.below = top_;
    if (top_) top_->above = &seat;
    top_ = &seat;
  }
  word_.fetch_add(one_idle - one_searching, std::memory_order_acq_rel);
}

void IdleSet::leave(Seat& seat, bool hand_over) noexcept {
  Seat* next_watcher = nullptr;
  {
    const std::lock_guard lock{flag_};
    if (!seat.taken) return;
    seat.taken = false;
    if (watcher_ == &seat) {
      watcher_ = next_watcher = top_;
      if (top_) unlink(*top_);
    } else {
      unlink(seat);
    }
    word_.fetch_add(one_searching - one_idle, std::memory_order_acq_rel);
  }
  if (next_watcher && hand_over) next_watcher->parker.unpark();
}

IdleSet::Place IdleSet::place_of(const Seat& seat) noexcept {
  const std::lock_guard lock{flag_};
  if (!seat.taken) return Place::away;
  return watcher_ == &seat ? Place::watching : Place::seated;
}

void IdleSet::wake_watcher() noexcept {
  Seat* watcher = nullptr;
  {
    const std::lock_guard lock{flag_};
    watcher = watcher_;
  }
  if (watcher) watcher->parker.unpark();
}

void IdleSet::wake_one() noexcept {
  Seat* seat = nullptr;
  {
    const std::lock_guard lock{flag_};
    // Another submitter may have been here first; whom it woke looks at the queue after this point.
    if (searching(word_.load(std::memory_order_acquire)) != 0) return;
    seat = top_ ? top_ : watcher_;
    if (seat == nullptr) return;
    if (seat == watcher_) watcher_ = nullptr;
    else unlink(*seat);
    seat->taken = false;
    word_.fetch_add(one_searching - one_idle, std::memory_order_acq_rel);
  }
  seat->parker.unpark();
}

void IdleSet::unlink(Seat& seat) noexcept {
  if (top_ == &seat) top_ = seat.below;
  else seat.above->below = seat.below;
  if (seat.below) seat.below->above = seat.above;
  seat.above = seat.below = nullptr;
}

}  // namespace midplane::inline v0::exec
