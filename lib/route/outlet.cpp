#include "route/outlet.hpp"

#include <algorithm>

namespace midplane::inline v0::route {
namespace {

/// A waiting publisher looks again this often; see Mailbox::wait_for_room.
constexpr Duration nap = std::chrono::milliseconds{1};

}  // namespace

Outlet::~Outlet() {
  const auto leave = [](const Mouth& mouth) {
    mouth.mailbox->close_lane(*mouth.lane);
    mouth.mailbox->unref();
  };
  std::for_each(mouths_.begin(), mouths_.end(), leave);
  for (const Group& group : groups_) std::for_each(group.members.begin(), group.members.end(), leave);
}

bool Outlet::renew() {
  std::vector<Mouth> old = std::move(mouths_);
  std::vector<std::pair<std::string, std::size_t>> turns;
  for (Group& group : groups_) {
    old.insert(old.end(), group.members.begin(), group.members.end());
    turns.emplace_back(group.name, group.turn);
  }
  mouths_.clear();
  groups_.clear();
  any_refusing_ = any_blocking_ = false;
  bool complete = true;
  version_ = route_->version();
  for (const Near& near : route_->near()) {
    const auto kept = std::find_if(old.begin(), old.end(), [&near](const Mouth& mouth) { return mouth.id == near.id; });
    Mouth mouth{near.id, near.mailbox, nullptr, near.mailbox->queue().overflow, near.mismatched};
    if (kept != old.end()) {
      mouth.lane = kept->lane;
      old.erase(kept);
    } else if ((mouth.lane = near.mailbox->open_lane()) != nullptr) {
      near.mailbox->ref();
    } else {
      complete = false;
      continue;
    }
    if (near.group.empty()) {
      any_refusing_ |= mouth.overflow == Overflow::refuse && !mouth.mismatched;
      any_blocking_ |= mouth.overflow == Overflow::block && !mouth.mismatched;
      mouths_.push_back(mouth);
      continue;
    }
    auto group = std::find_if(groups_.begin(), groups_.end(), [&near](const Group& g) { return g.name == near.group; });
    if (group == groups_.end()) {
      groups_.push_back({near.group, {}, 0});
      group = std::prev(groups_.end());
      for (const auto& [name, turn] : turns) {
        if (name == near.group) group->turn = turn;
      }
    }
    group->members.push_back(mouth);
  }
  for (const Mouth& gone : old) {
    gone.mailbox->close_lane(*gone.lane);
    gone.mailbox->unref();
  }
  far_.clear();
  if (!near_only_) far_ = route_->far();
  if (!complete) version_ = 0;
  return complete;
}

bool Outlet::reserve_refusing(std::uint32_t size) noexcept {
  for (std::size_t i = 0; i < mouths_.size(); ++i) {
    Mouth& mouth = mouths_[i];
    if (mouth.overflow != Overflow::refuse || mouth.mismatched || mouth.lane->reserve(size)) continue;
    mouth.mailbox->count_refused();
    while (i-- > 0) {
      if (mouths_[i].overflow == Overflow::refuse && !mouths_[i].mismatched) mouths_[i].lane->unreserve(size);
    }
    return false;
  }
  return true;
}

Offering Outlet::offer(wire::Envelope* envelope, Clock& clock, Wakes& wakes) noexcept {
  Offering offering;
  const std::uint32_t size = envelope->size;
  if (any_refusing_ && !reserve_refusing(size)) {
    offering.full = true;
    return offering;
  }
  offering.sinks = matched();
  // One reference per target before the first one can take it; the caller's own becomes the last target's, so that the
  // common case counts nothing down.
  const auto targets = static_cast<std::uint32_t>(mouths_.size() + groups_.size());
  const std::uint32_t counted = targets + (far_.empty() ? 0 : 1);
  if (counted == 0) {
    detail::release(envelope);
    return offering;
  }
  if (counted > 1) envelope->references.fetch_add(counted - 1, std::memory_order_relaxed);
  for (Mouth& mouth : mouths_) {
    if (mouth.overflow != Overflow::block || mouth.mismatched) put(mouth, envelope, offering, wakes);
  }
  for (Group& group : groups_) put_to_one(group, envelope, offering, wakes);
  std::uint32_t far_taken = 0;
  for (const auto& sink : far_) {
    if (sink->offer(*envelope) == wire::Offer::taken) ++far_taken;
    else ++offering.dropped;
  }
  if (any_blocking_) {
    Duration longest{0};
    for (const Mouth& mouth : mouths_) {
      if (mouth.overflow == Overflow::block) longest = std::max(longest, mouth.mailbox->queue().block_for);
    }
    // The clock is read by the first that really waits.
    Instant until{-1};
    for (Mouth& mouth : mouths_) {
      if (mouth.overflow != Overflow::block || mouth.mismatched) continue;
      if (mouth.lane->reserve(size)) {
        put_reserved(mouth, envelope, offering, wakes);
        continue;
      }
      if (until.nanoseconds < 0) until = clock.now() + longest;
      put_waiting(mouth, envelope, until, clock, offering, wakes);
    }
  }
  const std::uint32_t left = counted - offering.queued;
  offering.queued += far_taken;
  if (left != 0 && envelope->references.fetch_sub(left, std::memory_order_acq_rel) == left) detail::recycle(envelope);
  return offering;
}

void Outlet::put_reserved(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept {
  mouth.lane->count_offered();
  ++offering.queued;
  if (mouth.lane->push(envelope)) wakes.add(*mouth.mailbox, *mouth.lane);
}

void Outlet::put(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept {
  if (mouth.mismatched) {
    mouth.mailbox->count_lost_offer(DropReason::schema_mismatch);
    ++offering.dropped;
    return;
  }
  if (mouth.overflow == Overflow::refuse) return put_reserved(mouth, envelope, offering, wakes);
  bool listed = false;
  if (mouth.mailbox->offer(*mouth.lane, envelope, listed) == mailbox::Offered::dropped) {
    ++offering.dropped;
    return;
  }
  ++offering.queued;
  if (listed) wakes.add(*mouth.mailbox, *mouth.lane);
}

void Outlet::put_waiting(Mouth& mouth, wire::Envelope* envelope, Instant until, Clock& clock, Offering& offering,
                         Wakes& wakes) noexcept {
  Executor* drainer = mouth.mailbox->drainer();
  const bool fits = envelope->size <= mouth.mailbox->queue().bytes;
  if (drainer && drainer->runs_here()) {
    offering.would_deadlock = true;
  } else if (fits) {
    wakes.tell();  // whoever is to make room must know what waits
    while (!mouth.mailbox->closing()) {
      if (mouth.lane->reserve(envelope->size)) return put_reserved(mouth, envelope, offering, wakes);
      const Instant now = clock.now();
      if (now >= until) break;
      if (drainer && drainer->is_driven()) drainer->drive(std::min(until, now + nap));
      else mouth.mailbox->wait_for_room(std::min(nap, until - now));
    }
  }
  mouth.lane->count_offered();
  mouth.mailbox->count_dropped(mouth.mailbox->closing() ? mouth.mailbox->closing_reason() : DropReason::queue_full_newest);
  ++offering.dropped;
}

/// In turn among those that take it; a full member is passed over. When all are full the one in turn loses it.
void Outlet::put_to_one(Group& group, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept {
  const std::size_t first = group.turn++ % group.members.size();
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    Mouth& member = group.members[(first + i) % group.members.size()];
    if (member.mismatched || member.mailbox->closing()) continue;
    if (member.overflow == Overflow::latest) return put(member, envelope, offering, wakes);
    if (member.lane->reserve(envelope->size)) {
      if (i != 0) group.turn = first + i + 1;
      return put_reserved(member, envelope, offering, wakes);
    }
  }
  Mouth& unlucky = group.members[first];
  if (unlucky.overflow == Overflow::drop_oldest || unlucky.mismatched) return put(unlucky, envelope, offering, wakes);
  unlucky.lane->count_offered();
  unlucky.mailbox->count_dropped(DropReason::queue_full_newest);
  ++offering.dropped;
}

}  // namespace midplane::inline v0::route
