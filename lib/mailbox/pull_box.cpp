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
  if (!has_ready_.load(std::memory_order_acquire)) return;
  Function<void()> ready;
  {
    const std::lock_guard lock{ready_mutex_};
    ready = std::move(ready_);
    has_ready_.store(false, std::memory_order_release);
  }
  if (ready) ready();
}

void PullBox::when_ready(Function<void()> ready) {
  {
    const std::lock_guard lock{ready_mutex_};
    ready_ = std::move(ready);
    has_ready_.store(true);
  }
  if (!is_ready()) return;
  Function<void()> now;
  {
    const std::lock_guard lock{ready_mutex_};
    now = std::move(ready_);
    has_ready_.store(false);
  }
  if (now) now();
}

void PullBox::close(DropReason reason) noexcept {
  if (!begin_closing(reason)) return;
  sweep();
  spot_.wake_all();
  if (nudge) nudge();
  Function<void()> ready;
  {
    const std::lock_guard lock{ready_mutex_};
    ready = std::move(ready_);
  }
  if (ready) ready();
}

}  // namespace midplane::inline v0::mailbox
