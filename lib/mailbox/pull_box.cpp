#include "mailbox/pull_box.hpp"

#include "base/clock.hpp"

namespace midplane::inline v0::mailbox {

bool PullBox::try_take(Taken& taken) noexcept {
  while (true) {
    {
      const std::lock_guard lock{consumer_};
      if (closing() || !take(taken)) return false;
    }
    room_made();
    const wire::Envelope& envelope = *taken.envelope;
    if (envelope.kind == wire::Kind::event) return true;
    const wire::Extra* extra = envelope.extra;
    if (extra && base::has_passed(*clock_, extra->deadline)) {
      lose(*taken.envelope, DropReason::expired);
    } else if ((envelope.unverified || (extra && extra->peer)) && !verify_(envelope.bytes())) {
      lose(*taken.envelope, DropReason::malformed);
    } else {
      count_delivered();
      return true;
    }
    detail::release(taken.envelope);
  }
}

bool PullBox::is_ready() noexcept {
  const std::lock_guard lock{consumer_};
  return closing() || has_active() || has_listed();
}

void PullBox::wake() noexcept {
  if (closing()) return sweep();
  spot_.wake_all();
  if (nudge) nudge();
  if (has_ready_.load(std::memory_order_acquire)) tell_ready();
}

void PullBox::when_ready(std::weak_ptr<const void> awaiter, Function<void()> ready) {
  {
    const std::lock_guard lock{ready_mutex_};
    std::erase_if(ready_, [](const Waiting& one) { return one.awaiter.expired(); });
    ready_.push_back({std::move(awaiter), std::move(ready)});
    has_ready_.store(true, std::memory_order_release);
  }
  // A sender that wakes the spot before this is seen by the look below, one that does so after it sees `has_ready_`.
  static_cast<void>(spot_.prepare());
  spot_.cancel();
  if (is_ready()) tell_ready();
}

void PullBox::tell_ready() noexcept {
  std::vector<Waiting> told;
  {
    const std::lock_guard lock{ready_mutex_};
    told.swap(ready_);
    has_ready_.store(false, std::memory_order_release);
  }
  for (Waiting& one : told) one.ready();
}

void PullBox::close(DropReason reason) noexcept {
  if (!begin_closing(reason)) return;
  sweep();
  spot_.wake_all();
  if (nudge) nudge();
  tell_ready();
}

}  // namespace midplane::inline v0::mailbox
