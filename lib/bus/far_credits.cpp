#include "bus/far_credits.hpp"

#include <algorithm>

namespace midplane::inline v0::detail {

FarCredits::~FarCredits() {
  for (auto& [id, credit] : credits_) {
    if (credit.lane) credit.box->close_lane(*credit.lane);
    credit.box->unref();
  }
}

void FarCredits::begin() noexcept {
  const std::lock_guard lock{mutex_};
  for (auto& [id, credit] : credits_) credit.is_stale = true;
}

void FarCredits::joined(std::uint32_t id, mailbox::Mailbox& box) noexcept try {
  const std::lock_guard lock{mutex_};
  const auto [place, is_new] = credits_.try_emplace(id, Credit{&box, nullptr, 0});
  Credit& credit = place->second;
  if (is_new) {
    box.ref();
    credit.lane = box.open_lane(sender_.get(), sender_);
  } else if (!credit.is_stale) {
    return;
  }
  Credit fresh{&box, credit.lane, credit.lane ? credit.lane->offered() : 0};
  fresh.waits = credit.waits;
  credit = std::move(fresh);
} catch (...) {
  // Without memory it grants nothing, and its publishers wait as for a full queue.
}

void FarCredits::ended(std::uint32_t id) noexcept {
  const std::lock_guard lock{mutex_};
  const auto found = credits_.find(id);
  if (found == credits_.end()) return;
  if (found->second.lane) found->second.box->close_lane(*found->second.lane);
  found->second.box->unref();
  credits_.erase(found);
}

/// Reads from the lane's own positions what has left.
void FarCredits::look(Credit& credit) noexcept {
  if (!credit.lane) return;
  const std::uint64_t offered = credit.lane->offered() - credit.base;
  const std::uint64_t waiting = std::min(offered, credit.lane->waiting());
  while (credit.messages < offered - waiting && !credit.sizes.empty()) {
    credit.bytes += credit.sizes.front();
    credit.sizes.pop_front();
    ++credit.messages;
  }
}

void FarCredits::offered(std::uint32_t id, std::span<const std::uint32_t> sizes) noexcept {
  mailbox::Mailbox* box = nullptr;
  {
    const std::lock_guard lock{mutex_};
    const auto found = credits_.find(id);
    if (found == credits_.end()) return;
    Credit& credit = found->second;
    try {
      credit.sizes.insert(credit.sizes.end(), sizes.begin(), sizes.end());
    } catch (const std::bad_alloc&) {
      // They are never given back: the window shrinks by them.
    }
    for (const std::uint32_t bytes : sizes) credit.offered_bytes += bytes;
    look(credit);
    const Queue& queue = credit.box->queue();
    const bool is_low = (credit.messages + credit.sizes.size() - credit.told_messages) * 4 >= queue.messages * 2 ||
                        (credit.offered_bytes - credit.told_bytes) * 4 >= queue.bytes * 2;
    if (is_low && !credit.waits) {
      credit.waits = true;
      box = credit.box;
      box->ref();
    }
  }
  grant(id, false);
  if (!box) return;
  box->when_room([weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->grant(id, true);
  });
  box->unref();
}

/// With `whatever` also less than a quarter: the queue is half free.
void FarCredits::grant(std::uint32_t id, bool whatever) noexcept {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  {
    const std::lock_guard lock{mutex_};
    const auto found = credits_.find(id);
    if (found == credits_.end()) return;
    Credit& credit = found->second;
    if (whatever) credit.waits = false;
    look(credit);
    const Queue& queue = credit.box->queue();
    const bool is_due = (credit.messages - credit.told_messages) * 4 >= queue.messages ||
                        (credit.bytes - credit.told_bytes) * 4 >= queue.bytes;
    if (credit.messages == credit.told_messages || (!is_due && !whatever)) return;
    messages = credit.told_messages = credit.messages;
    bytes = credit.told_bytes = credit.bytes;
  }
  links_->grant_subscription(peer_, id, messages, bytes);
}

}  // namespace midplane::inline v0::detail
