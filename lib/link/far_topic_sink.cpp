#include "link/far_topic_sink.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/clock.hpp"
#include "base/defect.hpp"

namespace midplane::inline v0::link {
namespace {

using wire::Offer;

/// How patient a policy is; the most patient of a peer's subscriptions decides.
int patience(Overflow overflow) noexcept {
  switch (overflow) {
    case Overflow::refuse: return 4;
    case Overflow::block: return 3;
    case Overflow::drop_newest: return 2;
    case Overflow::drop_oldest: return 1;
    case Overflow::latest: return 0;
  }
  return 2;
}

DropReason reason_of(Put put) noexcept {
  switch (put) {
    case Put::full: return DropReason::queue_full_newest;
    case Put::too_large: return DropReason::too_large;
    case Put::no_memory: return DropReason::no_memory;
    default: return DropReason::link_lost;
  }
}

}  // namespace

std::int64_t remaining_of(const wire::Extra* extra, Clock& clock) noexcept {
  if (!extra || extra->deadline == Instant::never()) return -1;
  if (base::defect(base::Defect::deadline_not_reduced)) return extra->deadline.nanoseconds;
  return std::max<std::int64_t>(0, (extra->deadline - clock.now()).count());
}

FarTopicSink::~FarTopicSink() {
  for (const Waiting& one : waiting_) {
    if (one.envelope) detail::release(one.envelope);
  }
  settle(nullptr);
}

void FarTopicSink::weigh() noexcept {
  any_waits_ = false;
  messages_max_ = bytes_max_ = 0;
  // Also of those whose joining still waits behind earlier messages.
  bool is_first = true;
  for (const auto& [id, at] : joined_at_) {
    const auto known = remote_->subscriptions.find(id);
    if (known != remote_->subscriptions.end()) weigh(known->second->body.queue, std::exchange(is_first, false));
  }
  for (const auto& one : subscriptions_) any_waits_ |= one->waits;
}

/// The most patient policy decides, and the roomiest queue.
void FarTopicSink::weigh(const Queue& queue, bool is_first) noexcept {
  if (is_first || patience(queue.overflow) > patience(overflow())) overflow_.store(queue.overflow, std::memory_order_relaxed);
  messages_max_ = std::max(messages_max_, queue.messages);
  bytes_max_ = std::max(bytes_max_, queue.bytes);
  const std::int64_t wait = queue.overflow == Overflow::block ? queue.block_for.count() : 0;
  if (is_first || wait > block_for_.load(std::memory_order_relaxed)) block_for_.store(wait, std::memory_order_relaxed);
}

/// From here on it counts what is sent; one of an earlier connection is replaced.
void FarTopicSink::add(std::shared_ptr<FarSubscription> subscription) {
  const auto known = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                                  [&](const auto& one) { return one->body.id == subscription->body.id; });
  if (known != subscriptions_.end()) *known = std::move(subscription);
  else subscriptions_.push_back(std::move(subscription));
  weigh();
}

void FarTopicSink::remove(std::uint32_t subscription) noexcept {
  std::erase_if(subscriptions_, [&](const auto& one) { return one->body.id == subscription; });
  joined_at_.erase(subscription);
  weigh();
}

bool FarTopicSink::queue_has_room(std::uint64_t bytes) const noexcept {
  return bounded() + reserved_ < messages_max_ && waiting_bytes_ + bytes <= bytes_max_;
}

inline bool FarTopicSink::has_credit(std::uint64_t bytes) const noexcept {
  if (!any_waits_) return true;
  for (const auto& one : subscriptions_) {
    if (!one->has_room(bytes)) return false;
  }
  return true;
}

void FarTopicSink::spend(std::uint64_t bytes, std::uint32_t only) noexcept {
  if (!any_waits_) return;
  for (const auto& one : subscriptions_) {
    if (!one->waits || (only != 0 && only != one->body.id)) continue;
    ++one->sent_messages;
    one->sent_bytes += bytes;
  }
}

bool FarTopicSink::can_pack(Peer& peer, std::uint64_t bytes) const noexcept {
  // What is large waits for its turn in pieces; the room for its first one is looked for there.
  const std::size_t record = wire::bytes_of(wire::RecordType::message, bytes, 0);
  const Outgoing& out = peer.outgoing();
  return (out.is_large(record) ? out.has_room(1, any_waits_) : out.has_room(record, any_waits_)) && has_credit(bytes);
}

Offer FarTopicSink::lost(DropReason reason) noexcept {
  totals_->drop(reason);
  return Offer::dropped;
}

Offer FarTopicSink::offer(wire::Envelope& envelope, const wire::Terms& terms) noexcept {
  const std::lock_guard lock{remote_->flag};
  if (terms.is_reserved && reserved_ != 0) --reserved_;
  if (!terms.was_expected) {
    if (const Offer short_way = pack_plain(envelope, terms); short_way != Offer::refused) return short_way;
  }
  const Offer offered = offer_locked(envelope, terms.groups, 0, terms.may_wait && !terms.is_reserved);
  if (!terms.was_expected || offered == Offer::refused) return offered;
  // Of several that were waited for together an earlier one may come behind the last: then it is the latest to have come.
  if (expected_ == &envelope) settle(expected_ = nullptr);
  else if (expected_) settle(&envelope);
  return offered;
}

void FarTopicSink::expect(wire::Envelope& envelope, wire::Envelope* before) noexcept {
  const std::lock_guard lock{remote_->flag};
  // What is itself still to come has not been before it here.
  if (!expected_ || expected_ != before) settle(before);
  expected_ = &envelope;
}

void FarTopicSink::settle(wire::Envelope* envelope) noexcept {
  if (envelope) detail::acquire(envelope);
  if (settled_) detail::release(settled_);
  settled_ = envelope;
}

/// The short way of most messages of a busy topic: nothing waits, nothing is special, there is room. `refused`: nothing
/// was done.
Offer FarTopicSink::pack_plain(wire::Envelope& envelope, const wire::Terms& terms) noexcept {
  Peer* const peer = remote_->peer;
  if (!peer || envelope.extra || !terms.groups.empty() || !remote_->waiting.empty() || !noted_ || named_on_ != peer->serial)
    return Offer::refused;
  Outgoing& out = peer->outgoing();
  const std::size_t record = wire::bytes_of(wire::RecordType::message, envelope.size, 0);
  const bool joins = out.joins_open(record, any_waits_);
  if ((!joins && (out.is_large(record) || !out.has_room(record, any_waits_))) || !has_credit(envelope.size)) return Offer::refused;
  offered_.raise();
  ++number_;
  const wire::Record message{.type = wire::RecordType::message,
                             .name = name_,
                             .number = static_cast<std::uint32_t>(number_),
                             .mark = static_cast<std::uint64_t>(envelope.sent_at),
                             .payload = envelope.bytes(),
                             .owner = &envelope};
  const Put put = joins ? out.join_open(message, record, totals_.get()) : out.data(message, totals_.get());
  if (put != Put::sent) return lost(reason_of(put));
  spend(envelope.size, 0);
  if (!joins) out.flush();
  return Offer::taken;
}

Offer FarTopicSink::offer_locked(wire::Envelope& envelope, std::span<const std::string_view> groups, std::uint32_t only,
                                 bool may_wait) noexcept {
  Peer* const peer = remote_->peer;
  const bool packs = peer && remote_->waiting.empty() && can_pack(*peer, envelope.size);
  if (peer && !packs && may_wait && is_full_for_patient(*peer, envelope.size)) return Offer::refused;
  offered_.raise();
  // Also what is dropped has a number: the receiver reports it as a gap. A retained message, for one joiner, has none.
  if (only == 0) ++number_;
  if (!peer && only == 0 && base::defect(base::Defect::loss_without_number)) --number_;
  if (!peer) return lost(DropReason::link_lost);
  if (!noted_) noted_ = peer->note_offered(*this);
  wire::MetaFields fields;
  if (envelope.extra) {
    fields.headers = envelope.extra->headers;
    fields.remaining_ns = remaining_of(envelope.extra, clock_);
    if (fields.remaining_ns == 0) return lost(DropReason::expired);
  }
  fields.groups = groups;
  fields.subscription = only;
  if (packs) {
    const Put put = pack(*peer, envelope, number_, fields);
    return put == Put::sent ? Offer::taken : lost(reason_of(put));
  }
  if (envelope.size > peer->message_bytes_max()) return lost(DropReason::too_large);
  // A joiner's value is not bounded: there is one per subscription.
  if (only == 0) {
    const Overflow policy = overflow();
    if (policy == Overflow::latest) {
      while (bounded() != 0) drop_first(DropReason::conflated);
    } else if (policy == Overflow::drop_oldest) {
      while (bounded() != 0 && !queue_has_room(envelope.size)) drop_first(DropReason::queue_full_oldest);
    }
    if (!queue_has_room(envelope.size)) return lost(DropReason::queue_full_newest);
  }
  if (!wait_in_queue(&envelope, number_, fields)) return lost(DropReason::no_memory);
  // What waits may only wait for one slow subscriber of another topic.
  peer->pump();
  return Offer::taken;
}

bool FarTopicSink::wait_in_queue(wire::Envelope* envelope, std::uint64_t number, wire::MetaFields fields) noexcept try {
  wire::Body meta;
  if (!fields.groups.empty()) {
    meta = wire::encode(wire::MetaFields{.headers = fields.headers, .groups = fields.groups});
    if (meta.empty()) return false;
  }
  const std::uint64_t ordinal = remote_->ordinal + 1;
  waiting_.push_back({envelope, number, ordinal, fields.subscription, std::move(meta)});
  try {
    if (waiting_.size() == 1) remote_->waiting.emplace(ordinal, this);
  } catch (...) {
    waiting_.pop_back();
    return false;
  }
  remote_->ordinal = ordinal;
  if (envelope) {
    if (fields.subscription != 0) ++retained_waiting_;
    else waiting_bytes_ += envelope->size;
    detail::acquire(envelope);
  } else {
    ++joins_waiting_;
  }
  return true;
} catch (...) {
  return false;
}

/// The place in the list of those that wait is that of the first message.
void FarTopicSink::pop_first() noexcept {
  Waiting& first = waiting_.front();
  auto node = remote_->waiting.extract({first.ordinal, this});
  let_go(first);
  waiting_.pop_front();
  if (waiting_.empty() || node.empty()) return;
  node.value().first = waiting_.front().ordinal;
  remote_->waiting.insert(std::move(node));
}

void FarTopicSink::let_go(const Waiting& one) noexcept {
  if (!one.envelope) {
    --joins_waiting_;
    return;
  }
  if (one.only != 0) --retained_waiting_;
  else waiting_bytes_ -= one.envelope->size;
  detail::release(one.envelope);
}

/// The first message for all that waits is lost; what is for one joiner stays where it is.
void FarTopicSink::drop_first(DropReason reason) noexcept {
  const auto first = std::find_if(waiting_.begin(), waiting_.end(),
                                  [](const Waiting& one) { return one.envelope && one.only == 0; });
  totals_->drop(reason);
  if (first == waiting_.begin()) return pop_first();
  let_go(*first);
  waiting_.erase(first);
}

/// A large message of this topic is still leaving in pieces.
bool FarTopicSink::holds_large(const Peer& peer) const noexcept {
  std::uint32_t number = 0;
  return named_on_ == peer.serial && peer.outgoing_.holds_message(name_, number);
}

void FarTopicSink::send_join(Peer& peer, std::uint32_t subscription) noexcept try {
  const auto known = remote_->subscriptions.find(subscription);
  if (known == remote_->subscriptions.end()) return;
  add(known->second);
  peer.tell_schema(type_, known->second->body.type);
  if (named_on_ == peer.serial || peer.name_topic(*this, number_ + 1))
    peer.send_locked({.type = wire::RecordType::joined,
                      .name = name_,
                      .number = static_cast<std::uint32_t>(joined_at_[subscription]),
                      .mark = subscription});
} catch (const std::bad_alloc&) {
  // Better no link than a subscription that hears nothing.
  peer.doomed = true;
}

void FarTopicSink::drop_waiting(DropReason reason) noexcept {
  while (!waiting_.empty()) {
    if (waiting_.front().envelope) totals_->drop(reason);
    pop_first();
  }
}

Put FarTopicSink::pack(Peer& peer, wire::Envelope& envelope, std::uint64_t number, const wire::MetaFields& fields) noexcept {
  // Names do not come back: what waits for one would wait as long as the connection lives.
  if (named_on_ != peer.serial && !peer.name_topic(*this, number))
    return peer.has_names_left() ? Put::gone : Put::too_large;
  wire::Body meta;
  if (fields.any()) {
    meta = wire::encode(fields);
    if (meta.empty()) return Put::no_memory;
  }
  const wire::Record record{.type = wire::RecordType::message,
                            .flags = fields.subscription != 0 ? wire::retained_flag : std::uint8_t{0},
                            .name = name_,
                            .number = static_cast<std::uint32_t>(number),
                            .mark = static_cast<std::uint64_t>(envelope.sent_at),
                            .payload = envelope.bytes(),
                            .meta = meta,
                            .owner = fields.subscription == 0 ? &envelope : nullptr};  // a retained one is the topic's
  Outgoing& out = peer.outgoing();
  Put put = Put::sent;
  if (out.is_large(wire::bytes_of(record.type, record.payload.size(), meta.size()))) {
    if (envelope.size > peer.message_bytes_max()) return Put::too_large;
    put = out.large({record,
                     {.headers = fields.headers, .remaining_ns = fields.remaining_ns, .subscription = fields.subscription},
                     &envelope,
                     totals_.get(),
                     true,
                     {fields.groups.begin(), fields.groups.end()}});
  } else {
    put = out.data(record, totals_.get());
    out.flush();
  }
  if (put == Put::sent) spend(envelope.size, fields.subscription);
  return put;
}

bool FarTopicSink::pump(Peer& peer, std::uint64_t up_to) noexcept {
  while (!waiting_.empty() && waiting_.front().ordinal <= up_to) {
    Waiting& first = waiting_.front();
    if (!first.envelope) {
      if (holds_large(peer)) return false;
      send_join(peer, first.only);
      pop_first();
      continue;
    }
    wire::Envelope& envelope = *first.envelope;
    wire::MetaFields fields;
    if (envelope.extra) {
      fields.headers = envelope.extra->headers;
      fields.remaining_ns = remaining_of(envelope.extra, clock_);
    }
    fields.subscription = first.only;
    if (fields.remaining_ns == 0) {
      totals_->drop(DropReason::expired);
      pop_first();
      continue;
    }
    if (!can_pack(peer, envelope.size)) return false;
    std::optional<wire::Meta> kept;
    std::vector<std::string_view> groups;
    if (!first.meta.empty() && (kept = wire::decode_meta(first.meta))) {
      groups.assign(kept->groups.begin(), kept->groups.end());
      fields.groups = groups;
    }
    const Put put = pack(peer, envelope, first.number, fields);
    if (put == Put::sent) {
      pop_first();
    } else if (put == Put::gone) {
      return false;
    } else {
      totals_->drop(reason_of(put));
      pop_first();
    }
  }
  return true;
}

void FarTopicSink::join(std::uint32_t subscription, wire::Envelope* retained) noexcept try {
  const std::lock_guard lock{remote_->flag};
  Peer* const peer = remote_->peer;
  const auto known = remote_->subscriptions.find(subscription);
  if (!peer || known == remote_->subscriptions.end()) return;
  if (retained && retained == expected_) retained = settled_;
  const bool is_renewed = !joined_at_.try_emplace(subscription, number_).second;
  // Its policy holds from now on, though what was published before and still waits is not for it.
  weigh();
  if (base::defect(base::Defect::joined_before_what_waits)) send_join(*peer, subscription);
  else if ((waiting_.empty() && !holds_large(*peer)) || !wait_in_queue(nullptr, number_, {.subscription = subscription})) send_join(*peer, subscription);
  // Who had joined before a link broke is no joiner: what it missed is reported.
  if (retained && (!is_renewed || base::defect(base::Defect::retained_again))) offer_locked(*retained, {}, subscription, false);
} catch (const std::bad_alloc&) {
  const std::lock_guard lock{remote_->flag};
  if (remote_->peer) remote_->peer->doomed = true;
}

bool FarTopicSink::has_room(std::uint32_t bytes) noexcept {
  const std::lock_guard lock{remote_->flag};
  Peer* const peer = remote_->peer;
  return peer && ((remote_->waiting.empty() && can_pack(*peer, bytes)) || queue_has_room(bytes));
}

bool FarTopicSink::reserve(std::uint32_t bytes) noexcept {
  const std::lock_guard lock{remote_->flag};
  // While the peer is away it denies nobody: what is offered is lost, counted and reported as a gap.
  if (remote_->peer && !queue_has_room(bytes)) {
    FarTotals::raise(totals_->refused);
    return false;
  }
  ++reserved_;
  return true;
}

void FarTopicSink::unreserve() noexcept {
  const std::lock_guard lock{remote_->flag};
  --reserved_;
}

/// Who would rather wait does not queue up behind a link that takes nothing now: it packs its messages itself as soon as
/// the link goes on, which spares each of them the way through the queue. Only behind what waits already it keeps its
/// turn there.
bool FarTopicSink::is_full_for_patient(Peer& peer, std::uint64_t bytes) const noexcept {
  return remote_->waiting.empty() ? !can_pack(peer, bytes) : !queue_has_room(bytes);
}

void FarTopicSink::wait_for_room(std::uint32_t bytes, Duration nap) noexcept {
  const auto key = remote_->room.prepare();
  {
    const std::lock_guard lock{remote_->flag};
    remote_->room_wanted = true;
    if (!remote_->peer || !is_full_for_patient(*remote_->peer, bytes)) return remote_->room.cancel();
  }
  remote_->room.wait(key, base::steady_now() + nap);
}

std::uint64_t FarTopicSink::last_settled(const Peer& peer) const noexcept {
  const auto first = std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting& one) { return one.only == 0; });
  std::uint64_t last = first == waiting_.end() ? number_ : first->number - 1;
  std::uint32_t large = 0;
  // A large one that is still leaving counts as not offered yet; the wire has the low half of its number.
  if (peer.outgoing_.holds_message(name_on(peer), large)) {
    const std::uint64_t number = number_ - static_cast<std::uint32_t>(static_cast<std::uint32_t>(number_) - large);
    last = std::min(last, number - 1);
  }
  return last;
}

std::uint32_t FarTopicSink::name_on(const Peer& peer) const noexcept { return named_on_ == peer.serial ? name_ : 0; }

SinkStats stats_of(const FarTotals& totals, std::uint64_t waiting) {
  SinkStats stats;
  stats.name = totals.name;
  stats.kind = totals.kind;
  stats.peer = totals.peer;
  stats.waiting = waiting;
  // What ended is read before what began, so that the difference is never negative.
  stats.delivered = totals.acknowledged.load();
  for (std::size_t i = 0; i < drop_reasons; ++i) stats.dropped.by_reason[i] = totals.dropped[i].load();
  stats.refused = totals.refused.load();
  stats.offered = totals.offered_in_all();
  std::uint64_t known = stats.delivered + waiting;
  for (const std::uint64_t count : stats.dropped.by_reason) known += count;
  stats.in_transit = stats.offered > known ? stats.offered - known : 0;
  return stats;
}

}  // namespace midplane::inline v0::link
