#include "route/topic_route.hpp"

#include <algorithm>

namespace midplane::inline v0::route {

TopicRoute::~TopicRoute() {
  retain(nullptr);
  for (const Near& near : near_) near.mailbox->unref();
}

void TopicRoute::add(Near near) {
  if (near_.size() == near_.capacity()) near_.reserve(2 * near_.size() + 1);
  near.mailbox->ref();
  if (retained_ && !near.mismatched && near.group.empty()) {
    detail::acquire(retained_);
    near.mailbox->put_retained(retained_);
  }
  near_.push_back(std::move(near));
  changed();
}

void TopicRoute::mark(SubscriptionId id, bool mismatched) noexcept {
  for (Near& near : near_) {
    if (near.id == id) near.mismatched = mismatched;
  }
  changed();
}

void TopicRoute::remove(SubscriptionId id) noexcept {
  std::erase_if(near_, [id](const Near& near) {
    if (near.id != id) return false;
    near.mailbox->unref();
    return true;
  });
  changed();
}

void TopicRoute::add(Far far) {
  far_.push_back(std::move(far));
  changed();
}

void TopicRoute::remove_far(SubscriptionId id) noexcept {
  std::erase_if(far_, [id](const Far& far) { return far.id == id; });
  changed();
}

void TopicRoute::retain(wire::Envelope* envelope) noexcept {
  if (envelope) detail::acquire(envelope);
  if (retained_) detail::release(retained_);
  retained_ = envelope;
}

bool TopicRoute::is_first_unheeded() noexcept {
  if (told_unheeded_ || publishers == far_waiters) return false;
  told_unheeded_ = std::any_of(far_.begin(), far_.end(), [](const Far& far) {
    const Overflow overflow = far.sink->overflow();
    return far.group.empty() && (overflow == Overflow::refuse || overflow == Overflow::block);
  });
  return told_unheeded_;
}

}  // namespace midplane::inline v0::route
