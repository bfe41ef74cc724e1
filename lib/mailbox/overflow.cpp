/// What happens to a message that finds its subscription's queue full, for the policies that decide here: drop_newest,
/// drop_oldest, latest. `refuse` and `block` hold up the whole publish and are in route/outlet.cpp.
#include "mailbox/mailbox.hpp"

namespace midplane::inline v0::mailbox {

Offered Mailbox::offer(Lane& lane, wire::Envelope* envelope, bool& listed, Telling telling) noexcept {
  if (queue_.overflow == Overflow::latest) return offer_conflating(lane, envelope, listed);
  if (!lane.reserve(envelope->size)) {
    if (queue_.overflow == Overflow::drop_oldest) return offer_evicting(lane, envelope, listed, telling);
    lane.count_unqueued();
    count_dropped(DropReason::queue_full_newest);
    return Offered::dropped;
  }
  listed = lane.push(envelope, telling);
  return Offered::queued;
}

bool Mailbox::offer_all(Lane& lane, std::span<wire::Envelope* const> envelopes, bool& listed, Telling telling) noexcept {
  std::uint64_t bytes = 0;
  for (const wire::Envelope* envelope : envelopes) bytes += envelope->size;
  if (!lane.reserve(bytes, envelopes.size())) return false;
  listed = lane.push(envelopes, telling);
  return true;
}

Offered Mailbox::offer_evicting(Lane& lane, wire::Envelope* envelope, bool& listed, Telling telling) noexcept {
  const bool never_fits = envelope->size > queue_.bytes;
  while (!never_fits && evict(lane)) {
    if (lane.reserve(envelope->size)) {
      listed = lane.push(envelope, telling);
      return Offered::queued;
    }
  }
  if (!never_fits && lane.reserve(envelope->size)) {
    listed = lane.push(envelope, telling);
    return Offered::queued;
  }
  lane.count_unqueued();
  count_dropped(DropReason::queue_full_newest);
  return Offered::dropped;
}

/// The oldest of `own` leaves, or the head of the longest lane; false when nothing waits.
bool Mailbox::evict(Lane& own) noexcept {
  wire::Envelope* victim = nullptr;
  {
    const std::scoped_lock lock{mutex_, consumer_};
    Lane* lane = &own;
    if (own.waiting() == 0) {
      for (const auto& other : lanes_) {
        if (other->waiting() > lane->waiting()) lane = other.get();
      }
    }
    const std::uint64_t at = lane->position();
    if (lane->filled() == at) return false;
    victim = lane->peek(at);
    lane->advance(at, victim->size);
  }
  lose(*victim, DropReason::queue_full_oldest);
  detail::release(victim);
  return true;
}

Offered Mailbox::offer_conflating(Lane& lane, wire::Envelope* envelope, bool& listed) noexcept {
  wire::Envelope* older = nullptr;
  Offered outcome = Offered::queued;
  DropReason lost = DropReason::queue_full_newest;
  {
    const std::lock_guard lock{consumer_};
    lane.count_unqueued();
    wire::Envelope** waiting = conflation_.find(envelope->name);
    // What replaces takes only the bytes by which it is larger, before it takes the place.
    const std::uint64_t freed = waiting ? (*waiting)->size : 0;
    const Load need = waiting ? load_of(0, envelope->size > freed ? envelope->size - freed : 0) : load_of(1, envelope->size);
    if (!admission_.reserve(need)) {
      outcome = Offered::dropped;
    } else if (waiting) {
      // What happened to the link meanwhile is told in order with the messages: behind the older one, before the newer.
      older = conflation_.replace(envelope, first_size_.load(std::memory_order_relaxed) != 0);
      if (freed > envelope->size) admission_.unreserve(load_of(0, freed - envelope->size));
    } else if (!conflation_.append(envelope)) {
      admission_.unreserve(need);
      outcome = Offered::dropped;
      lost = DropReason::no_memory;
    }
    conflation_size_.store(conflation_.size(), std::memory_order_release);
  }
  if (older) {
    lose(*older, DropReason::conflated);
    detail::release(older);
  }
  if (outcome == Offered::dropped) count_dropped(lost);
  listed = outcome == Offered::queued && !older;
  return outcome;
}

}  // namespace midplane::inline v0::mailbox
