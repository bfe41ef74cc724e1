#include "route/outlet.hpp"

#include <algorithm>

#include "base/defect.hpp"
#include "exec/running.hpp"

namespace midplane::inline v0::route {
namespace {

/// A waiting publisher looks again this often; see Mailbox::wait_for_room.
constexpr Duration nap = std::chrono::milliseconds{1};

/// So many waits for room does a thread that has just driven a loop in vain left to others drive it at once.
constexpr std::uint16_t own_drives_max = 1024;

/// Stands around a wait for room: those who wait for its sender see what it waits for.
class Told {
 public:
  Told(std::atomic<const Executor*>* where, const Executor* executor) noexcept : where_{where} {
    if (where_) where_->store(executor, std::memory_order_relaxed);
  }
  Told(const Told&) = delete;
  ~Told() {
    if (where_) where_->store(nullptr, std::memory_order_relaxed);
  }

 private:
  std::atomic<const Executor*>* const where_;
};

}  // namespace

Outlet::~Outlet() {
  std::for_each(mouths_.begin(), mouths_.end(), leave);
  for (const Group& group : groups_) std::for_each(group.members.begin(), group.members.end(), leave);
}

void Outlet::leave(const Mouth& mouth) noexcept {
  if (mouth.is_far()) return;
  if (mouth.lane) mouth.mailbox->close_lane(*mouth.lane);
  mouth.mailbox->unref();
}

/// Everything is derived anew beside the old and exchanged at the end: without memory the old stays whole.
bool Outlet::renew() noexcept {
  std::vector<Mouth> fresh;  // what is new here, to be let go when it comes to nothing
  try {
    std::vector<Mouth> old = mouths_;
    for (const Group& group : groups_) old.insert(old.end(), group.members.begin(), group.members.end());
    std::vector<Mouth> mouths;
    std::vector<Group> groups;
    std::vector<Way> ways;
    std::uint32_t plain_ways = 0;
    fresh.reserve(route_->near().size());
    mouths.reserve(route_->near().size());
    bool refusing = false;
    bool blocking = false;
    bool lacking = false;
    Queue shortest{.messages = SIZE_MAX, .bytes = SIZE_MAX};
    const std::uint64_t version = route_->version();
    const auto members_of = [&](const std::string& name) -> std::vector<Mouth>& {
      const auto is_it = [&name](const Group& g) { return g.name == name; };
      auto group = std::find_if(groups.begin(), groups.end(), is_it);
      if (group == groups.end()) {
        const auto before = std::find_if(groups_.begin(), groups_.end(), is_it);
        groups.push_back({name, {}, before == groups_.end() ? 0 : before->turn});
        group = std::prev(groups.end());
      }
      group->members.reserve(group->members.size() + 1);
      return group->members;
    };
    for (const Near& near : route_->near()) {
      Mouth mouth{near.id, near.mailbox, nullptr, near.mailbox->queue().overflow, near.mismatched};
      if (options_.audience) {
        const auto joined = options_.audience->find(near.id);
        if (joined == options_.audience->end()) continue;
        mouth.mismatched = !joined->second;
        // Its sender has waited for it; who brings the message must not.
        if (mouth.overflow == Overflow::refuse || mouth.overflow == Overflow::block) mouth.overflow = Overflow::drop_newest;
      }
      shortest.messages = std::min(shortest.messages, near.mailbox->queue().messages);
      shortest.bytes = std::min(shortest.bytes, near.mailbox->queue().bytes);
      std::vector<Mouth>* into = &mouths;
      if (!near.group.empty()) {
        into = &members_of(near.group);
      } else if (!mouth.mismatched) {
        refusing |= mouth.overflow == Overflow::refuse;
        blocking |= mouth.overflow == Overflow::block;
      }
      const auto kept = std::find_if(old.begin(), old.end(), [&near](const Mouth& m) { return m.id == near.id; });
      if (kept != old.end()) {
        mouth.lane = kept->lane;
        old.erase(kept);
      } else {
        near.mailbox->ref();
        fresh.push_back(mouth);
      }
      const bool is_lacking = !mouth.lane;
      if (is_lacking) mouth.lane = near.mailbox->open_lane(sender_, options_.comes_back);
      if (is_lacking && !mouth.lane) lacking = true;
      else if (!fresh.empty() && fresh.back().id == mouth.id) fresh.back().lane = mouth.lane;
      mouth.is_in_lane = mouth.lane && !mouth.mismatched && mouth.overflow != Overflow::latest;
      mouth.is_direct = mouth.is_in_lane && mouth.overflow != Overflow::refuse;
      into->push_back(mouth);
    }
    for (const Far& far : route_->far()) {
      if (options_.audience) break;
      auto way = std::find_if(ways.begin(), ways.end(), [&far](const Way& one) { return one.sink == far.sink; });
      if (way == ways.end()) {
        const Overflow overflow = far.sink->overflow();
        ways.push_back({far.sink, false, options_.far_wait && overflow == Overflow::refuse,
                        options_.far_wait && overflow == Overflow::block});
        way = std::prev(ways.end());
      }
      if (far.group.empty()) {
        if (!std::exchange(way->is_plain, true)) ++plain_ways;
        refusing |= way->refuses;
        blocking |= way->blocks;
      } else {
        way->chosen.reserve(route_->far().size());
        Mouth member{far.id, nullptr, nullptr, Overflow::drop_newest, false};
        member.way = static_cast<std::size_t>(way - ways.begin());
        members_of(far.group).push_back(member);
      }
    }
    mouths_.swap(mouths);
    groups_.swap(groups);
    ways_.swap(ways);
    plain_ways_ = plain_ways;
    any_refusing_ = refusing;
    any_blocking_ = blocking;
    lacks_lanes_ = lacking;
    shortest_ = shortest;
    sole_ = nullptr;
    if (mouths_.size() == 1 && groups_.empty() && ways_.empty() && mouths_[0].is_direct) sole_ = mouths_.data();
    const bool is_peer_alone = mouths_.empty() && groups_.empty() && ways_.size() == 1;
    sole_peer_ = is_peer_alone && ways_[0].is_plain && !ways_[0].refuses ? ways_[0].sink.get() : nullptr;
    version_ = lacking ? 0 : version;  // 0: looks again with the next message
    std::for_each(old.begin(), old.end(), leave);
    return true;
  } catch (const std::bad_alloc&) {
    std::for_each(fresh.begin(), fresh.end(), leave);
    version_ = 0;
    return false;
  }
}

void Outlet::lose(Mouth& mouth, DropReason reason, Offering& offering) noexcept {
  if (mouth.lane) {
    mouth.lane->count_unqueued();
    mouth.mailbox->count_dropped(reason);
  } else {
    mouth.mailbox->count_lost_offer(reason);
  }
  ++offering.dropped;
}

bool Outlet::reserve_refusing(std::uint32_t size) noexcept {
  const auto refuses = [](const Mouth& mouth) {
    return mouth.overflow == Overflow::refuse && !mouth.mismatched && mouth.lane;
  };
  const auto take_back = [&](std::size_t mouths) {
    for (std::size_t i = 0; i < mouths; ++i) {
      if (refuses(mouths_[i])) mouths_[i].lane->unreserve(size);
    }
    return false;
  };
  for (std::size_t i = 0; i < mouths_.size(); ++i) {
    Mouth& mouth = mouths_[i];
    if (!refuses(mouth) || mouth.lane->reserve(size)) continue;
    mouth.mailbox->count_refused();
    return take_back(i);
  }
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (!ways_[i].refuses || !ways_[i].is_plain || ways_[i].sink->reserve(size)) continue;
    while (i-- > 0) {
      if (ways_[i].refuses && ways_[i].is_plain) ways_[i].sink->unreserve();
    }
    return take_back(mouths_.size());
  }
  return true;
}

Offering Outlet::offer(wire::Envelope* envelope, Clock& clock, Wakes& wakes, bool admitted,
                       std::unique_lock<std::mutex>* ordered) noexcept {
  Offering offering;
  const std::uint32_t size = envelope->size;
  if (!admitted && !admit(size)) {
    offering.full = true;
    return offering;
  }
  offering.sinks = matched();
  // One reference per target before the first one can take it; the caller's own becomes the last target's, so that the
  // common case counts nothing down.
  const auto targets = static_cast<std::uint32_t>(mouths_.size() + groups_.size());
  const std::uint32_t counted = targets + (ways_.empty() ? 0 : 1);
  if (counted == 0) {
    detail::release(envelope);
    return offering;
  }
  if (counted > 1) {
    // A sole owner's count is nobody else's to change.
    if (envelope->references.load(std::memory_order_relaxed) == 1) envelope->references.store(counted, std::memory_order_relaxed);
    else envelope->references.fetch_add(counted - 1, std::memory_order_relaxed);
  }
  const bool together = mouths_.size() > 1 && wakes.telling() == mailbox::Telling::now;
  bool any_waits = false;
  for (Mouth& mouth : mouths_) {
    if (mouth.is_direct && mouth.lane->reserve(size)) put_reserved(mouth, envelope, offering, wakes, together);
    else if (mouth.overflow == Overflow::block && !mouth.mismatched) any_waits = mouth.waits = true;
    else put(mouth, envelope, offering, wakes, together);
  }
  for (Group& group : groups_) put_to_one(group, envelope, offering, wakes);
  Offering far;
  for (Way& way : ways_) {
    if (!way.blocks || !way.is_plain) offer_far(way, *envelope, far, true);
  }
  if (ordered) ordered->unlock();
  if (any_waits) put_when_room(envelope, clock, offering, wakes, together);
  if (together) find_unlisted(wakes);
  if (any_blocking_) {
    for (Way& way : ways_) {
      if (way.blocks && way.is_plain) wait_for_far(way, *envelope, clock, far, wakes);
    }
  }
  const std::uint32_t left = counted - offering.queued;
  offering.queued += far.queued;
  offering.dropped += far.dropped;
  offering.would_deadlock |= far.would_deadlock;
  if (left != 0 && envelope->references.fetch_sub(left, std::memory_order_acq_rel) == left) detail::recycle(envelope);
  return offering;
}

/// At those that wait. Once the longest wait of any is over, none waits any more.
void Outlet::put_when_room(wire::Envelope* envelope, Clock& clock, Offering& offering, Wakes& wakes, bool together) noexcept {
  Duration longest{0};
  for (const Mouth& mouth : mouths_) {
    if (mouth.overflow == Overflow::block) longest = std::max(longest, mouth.mailbox->queue().block_for);
  }
  const Instant until = clock.now() + longest;
  for (Mouth& mouth : mouths_) {
    if (!std::exchange(mouth.waits, false)) continue;
    if (mouth.lane) put_waiting(mouth, envelope, until, clock, offering, wakes, together);
    else lose(mouth, DropReason::no_memory, offering);
  }
}

void Outlet::expect(wire::Envelope& envelope) noexcept {
  if (!any_blocking_) return;
  for (Way& way : ways_) {
    if (!way.blocks || !way.is_plain) continue;
    way.sink->expect(envelope, route_->retained());
    way.expects = true;
  }
}

void Outlet::offer_far(Way& way, wire::Envelope& envelope, Offering& offering, bool admitted) noexcept {
  if (!way.is_plain && way.chosen.empty()) return;
  const wire::Terms terms{.groups = way.chosen,
                          .is_reserved = admitted && way.refuses && way.is_plain,
                          .was_expected = std::exchange(way.expects, false)};
  ++(way.sink->offer(envelope, terms) == wire::Offer::taken ? offering.queued : offering.dropped);
  way.chosen.clear();
}

void Outlet::wait_for_far(Way& way, wire::Envelope& envelope, Clock& clock, Offering& offering, Wakes& wakes) noexcept {
  const auto try_it = [&] {
    const wire::Terms terms{.groups = way.chosen, .may_wait = true, .was_expected = way.expects};
    const wire::Offer offer = way.sink->offer(envelope, terms);
    if (offer == wire::Offer::refused) return false;
    way.expects = false;
    ++(offer == wire::Offer::taken ? offering.queued : offering.dropped);
    way.chosen.clear();
    return true;
  };
  if (try_it()) return;
  // Inside a handler the link can not go on while this thread waits, unless another one moves it.
  Executor* const executor = options_.executor;
  const exec::Waiting waiting{executor};
  if (waiting) {
    const Told told{options_.waits_for, executor};
    wakes.tell();  // whoever is to make room must know what waits
    const Instant until = clock.now() + way.sink->block_for();
    for (Instant now = clock.now(); now < until; now = clock.now()) {
      if (executor && executor->is_driven()) executor->drive(std::min(until, now + nap));
      else way.sink->wait_for_room(envelope.size, std::min(nap, until - now));
      if (try_it()) return;
    }
  }
  const std::uint32_t lost = offering.dropped;
  offer_far(way, envelope, offering, false);
  offering.would_deadlock |= !waiting && offering.dropped != lost;
}

void Outlet::deliver(std::span<wire::Envelope* const> messages, std::span<const std::string> groups, SubscriptionId only,
                     Wakes& wakes) noexcept {
  if (sole_ && (only == 0 || sole_->id == only)) {
    bool listed = false;
    if (sole_->mailbox->offer_all(*sole_->lane, messages, listed, wakes.telling())) {
      if (listed) wakes.add(*sole_->mailbox, *sole_->lane);
      return;
    }
  }
  for (wire::Envelope* const envelope : messages) deliver_one(envelope, groups, only, wakes);
}

void Outlet::turn_away(std::span<wire::Envelope* const> messages, std::span<const std::string> groups,
                       SubscriptionId only, DropReason reason) noexcept {
  for (wire::Envelope* const envelope : messages) {
    const auto count = [reason](const Mouth& mouth) {
      mouth.mailbox->count_lost_offer(mouth.mismatched ? DropReason::schema_mismatch : reason);
    };
    for (const Mouth& mouth : mouths_) {
      if (only == 0 || mouth.id == only) count(mouth);
    }
    for (Group& group : groups_) {
      const bool is_named = std::find(groups.begin(), groups.end(), group.name) != groups.end();
      if (only == 0 && is_named) count(group.members[group.turn++ % group.members.size()]);
    }
    detail::release(envelope);
  }
}

void Outlet::deliver_one(wire::Envelope* envelope, std::span<const std::string> groups, SubscriptionId only,
                         Wakes& wakes) noexcept {
  Offering offering;
  const auto give = [&](auto&& put_it) {
    detail::acquire(envelope);
    const std::uint32_t before = offering.queued;
    put_it();
    if (offering.queued == before) detail::release(envelope);
  };
  for (Mouth& mouth : mouths_) {
    if (only == 0 || mouth.id == only) give([&] { put(mouth, envelope, offering, wakes, false); });
  }
  for (Group& group : groups_) {
    const bool is_named = std::find(groups.begin(), groups.end(), group.name) != groups.end();
    if (only == 0 && is_named) give([&] { put_to_one(group, envelope, offering, wakes); });
  }
  detail::release(envelope);
}

/// One fence for all, where each push with `Telling::now` would have a read-modify-write of its own.
void Outlet::find_unlisted(Wakes& wakes) noexcept {
  const auto needs_no_order = [](const Mouth& mouth) { return !mouth.is_in_lane || mouth.lane->is_attended(); };
  if (std::all_of(mouths_.begin(), mouths_.end(), needs_no_order)) return;
  mailbox::Lane::order_pushes();
  for (const Mouth& mouth : mouths_) {
    if (mouth.is_in_lane && !mouth.lane->looks_listed() && mouth.lane->mark_listed()) wakes.add(*mouth.mailbox, *mouth.lane);
  }
}

inline void Outlet::put_reserved(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes,
                                 bool together) noexcept {
  ++offering.queued;
  if (together) mouth.lane->push(envelope, mailbox::Telling::later);
  else if (mouth.lane->push(envelope, wakes.telling())) wakes.add(*mouth.mailbox, *mouth.lane);
}

void Outlet::put(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes, bool together) noexcept {
  if (mouth.mismatched) {
    mouth.mailbox->count_lost_offer(DropReason::schema_mismatch);
    ++offering.dropped;
    return;
  }
  if (!mouth.lane) return lose(mouth, DropReason::no_memory, offering);
  if (mouth.overflow == Overflow::refuse) return put_reserved(mouth, envelope, offering, wakes, together);
  bool listed = false;
  const mailbox::Telling telling = together ? mailbox::Telling::later : wakes.telling();
  if (mouth.mailbox->offer(*mouth.lane, envelope, listed, telling) == mailbox::Offered::dropped) {
    ++offering.dropped;
    return;
  }
  ++offering.queued;
  if (listed && (!together || !mouth.is_in_lane)) wakes.add(*mouth.mailbox, *mouth.lane);
}

void Outlet::put_waiting(Mouth& mouth, wire::Envelope* envelope, Instant until, Clock& clock, Offering& offering,
                         Wakes& wakes, bool together) noexcept {
  const std::shared_ptr<Executor> drainer = mouth.mailbox->drainer();
  const bool fits = envelope->size <= mouth.mailbox->queue().bytes;
  if (const exec::Waiting waiting{drainer.get()}; !waiting || mouth.mailbox->is_emptied_here()) {
    offering.would_deadlock = true;
  } else if (fits) {
    const Told told{options_.waits_for, drainer.get()};
    // Whoever is to make room must know what waits.
    if (together) find_unlisted(wakes);
    wakes.tell();
    bool others_drive = mouth.own_drives == 0 && mouth.lane->is_attended();
    bool nobody_did = false;
    if (mouth.own_drives != 0) --mouth.own_drives;
    while (!mouth.mailbox->closing()) {
      if (mouth.lane->reserve(envelope->size)) return put_reserved(mouth, envelope, offering, wakes, together);
      const Instant now = clock.now();
      if (now >= until) break;
      if (!drainer || !drainer->is_driven()) {
        mouth.mailbox->wait_for_room(std::min(nap, until - now));
        continue;
      }
      // Whose loop runs elsewhere is left to it: waiting to drive in its place would have each of its rounds wake this thread.
      const std::uint64_t at = mouth.lane->position();
      std::size_t ran = 0;
      if (others_drive) {
        mouth.mailbox->wait_for_room(std::min(nap, until - now));
        nobody_did = mouth.lane->position() == at && clock.now() - now >= nap / 2;
      } else {
        ran = drainer->drive(std::min(until, now + nap));
        // It is polled between publishes, by this very thread: no nap for a good while.
        if (ran != 0 && nobody_did) mouth.own_drives = own_drives_max;
      }
      others_drive = ran == 0 && mouth.lane->position() != at;
    }
  }
  lose(mouth, mouth.mailbox->closing() ? mouth.mailbox->closing_reason() : DropReason::queue_full_newest, offering);
}

/// In turn among those that take it; a full member is passed over. When all are full the one in turn loses it.
void Outlet::put_to_one(Group& group, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept {
  const std::size_t first = group.turn++ % group.members.size();
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    Mouth& member = group.members[(first + i) % group.members.size()];
    if (member.is_far()) {
      Way& way = ways_[member.way];
      if (!way.sink->has_room(envelope->size)) continue;
      if (i != 0) group.turn = first + i + 1;
      way.chosen.push_back(group.name);
      if (base::defect(base::Defect::group_gets_all)) continue;
      return;
    }
    if (member.mismatched || member.mailbox->closing() || !member.lane) continue;
    if (member.overflow == Overflow::latest) return put(member, envelope, offering, wakes, false);
    if (member.lane->reserve(envelope->size)) {
      if (i != 0) group.turn = first + i + 1;
      return put_reserved(member, envelope, offering, wakes, false);
    }
  }
  Mouth& unlucky = group.members[first];
  if (unlucky.is_far()) return ways_[unlucky.way].chosen.push_back(group.name);
  if (unlucky.mismatched) return put(unlucky, envelope, offering, wakes, false);
  if (!unlucky.lane) return lose(unlucky, DropReason::no_memory, offering);
  if (unlucky.mailbox->closing()) return lose(unlucky, unlucky.mailbox->closing_reason(), offering);
  if (unlucky.overflow == Overflow::drop_oldest) return put(unlucky, envelope, offering, wakes, false);
  lose(unlucky, DropReason::queue_full_newest, offering);
}

}  // namespace midplane::inline v0::route
