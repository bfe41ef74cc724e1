#include "mailbox/mailbox.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/spin.hpp"
#include "wire/reclaimer.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::mailbox {
namespace {

/// What the asker of a request hears when its request was lost here.
Error answer_for(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::expired: return {ErrorCode::expired, "the deadline had passed before the handler was entered"};
    case DropReason::handler_failed:
      return {ErrorCode::handler_failed, Fate::failed, "the handler threw; see the server's log"};
    case DropReason::closed: return {ErrorCode::closed, "the server's bus closed before the handler was entered"};
    case DropReason::malformed: return {ErrorCode::malformed, "the bytes are no valid value of the service's request type"};
    case DropReason::no_memory: return {ErrorCode::no_memory, "the server had no memory for the request"};
    case DropReason::unsubscribed: return {ErrorCode::no_server, "the server was withdrawn before the handler was entered"};
    default: return {ErrorCode::busy, "the server's queue is full; try again later or elsewhere"};
  }
}

}  // namespace

Mailbox::Mailbox(std::string name, Queue queue, bool shared_consumer)
    : shared_consumer_{shared_consumer || queue.overflow == Overflow::drop_oldest || queue.overflow == Overflow::latest},
      name_{std::move(name)},
      queue_{queue},
      admission_{queue.messages, queue.bytes} {}

Mailbox::~Mailbox() = default;

Lane* Mailbox::open_lane(const void* sender, const std::weak_ptr<const void>& comes_back) noexcept {
  const std::lock_guard lock{mutex_};
  Lane* unused = nullptr;
  for (const auto& lane : lanes_) {
    // One that the sender had before may still hold messages of it: it goes on behind them.
    if (lane->sender_ == sender) {
      ++lane->uses_;
      lane->comes_back_ = comes_back;
      return lane.get();
    }
    if (lane->is_free()) unused = lane.get();
  }
  if (!unused) {
    auto lane = Lane::make(admission_, lanes_.size() + 1);
    if (!lane) return nullptr;
    unused = lane.get();
    try {
      lanes_.push_back(std::move(lane));
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }
  unused->sender_ = sender;
  unused->uses_ = 1;
  unused->comes_back_ = comes_back;
  return unused;
}

void Mailbox::close_lane(Lane& lane) noexcept {
  const std::lock_guard lock{mutex_};
  if (--lane.uses_ == 0) lane.return_allowance();
}

void Mailbox::list(Lane& lane) noexcept {
  if (queue_.overflow != Overflow::latest) {
    Lane* head = listed_.load(std::memory_order_relaxed);
    do {
      lane.next_listed_ = head;
    } while (!listed_.compare_exchange_weak(head, &lane, std::memory_order_release, std::memory_order_relaxed));
  }
  wake();
}

void Mailbox::put_retained(wire::Envelope* envelope) noexcept {
  const std::lock_guard lock{mutex_};
  first_offered_.fetch_add(1, std::memory_order_relaxed);
  if (!admission_.reserve(load_of(1, envelope->size))) {
    count_dropped(DropReason::queue_full_newest);
    return detail::release(envelope);
  }
  try {
    first_.push_back({{envelope, true}});
  } catch (const std::bad_alloc&) {
    admission_.unreserve(load_of(1, envelope->size));
    count_dropped(DropReason::no_memory);
    return detail::release(envelope);
  }
  first_waiting_.fetch_add(1, std::memory_order_relaxed);
  first_size_.store(first_.size(), std::memory_order_release);
}

bool Mailbox::put_event(wire::Envelope* envelope, const void* sender) noexcept {
  // The consumer's flag is for the conflated messages; a plain consumer holds nobody up by it.
  const std::scoped_lock lock{mutex_, consumer_};
  First first{{envelope, false}};
  if (sender && queue_.overflow == Overflow::latest) first.at = conflation_.next_turn();
  for (const auto& lane : lanes_) {
    if (!sender || lane->sender_ != sender || first.at != 0) continue;
    first.lane = lane.get();
    first.at = lane->filled();
  }
  try {
    if (events_ < events_max) {
      first_.push_back(first);
      ++events_;
      first_size_.store(first_.size(), std::memory_order_release);
      return true;
    }
  } catch (const std::bad_alloc&) {
    // As if there were too many.
  }
  detail::release(envelope);
  return false;
}

bool Mailbox::take_first(Taken& taken) noexcept {
  const std::lock_guard lock{mutex_};
  const auto ripe = std::find_if(first_.begin(), first_.end(), [this](const First& one) { return is_ripe(one); });
  if (ripe == first_.end()) return false;
  taken = ripe->taken;
  first_.erase(ripe);
  first_size_.store(first_.size(), std::memory_order_relaxed);
  if (taken.retained) {
    first_waiting_.fetch_sub(1, std::memory_order_relaxed);
    admission_.release(load_of(1, taken.envelope->size));
  } else {
    --events_;
  }
  return true;
}

bool Mailbox::take(Taken& taken) noexcept {
  if (first_size_.load(std::memory_order_acquire) != 0 && take_first(taken)) return true;
  if (queue_.overflow == Overflow::latest) {
    taken = {conflation_.pop(), false};
    conflation_size_.store(conflation_.size(), std::memory_order_relaxed);
    if (taken.envelope) admission_.release(load_of(1, taken.envelope->size));
  } else {
    taken = {take_from_lanes(), false};
  }
  return taken.envelope != nullptr;
}

/// Senders push in front; the oldest listed lane comes first here.
void Mailbox::adopt_listed() noexcept {
  Lane* lane = listed_.exchange(nullptr, std::memory_order_acquire);
  Lane* first = nullptr;
  Lane* last = lane;
  while (lane) {
    Lane* next = lane->next_listed_;
    lane->next_listed_ = first;
    first = lane;
    lane = next;
  }
  if (!first) return;
  (active_last_ ? active_last_->next_listed_ : active_first_) = first;
  active_last_ = last;
}

void Mailbox::put_last(Lane& lane) noexcept {
  lane.next_listed_ = nullptr;
  (active_last_ ? active_last_->next_listed_ : active_first_) = &lane;
  active_last_ = &lane;
}

/// The lane behind the first one becomes the first.
void Mailbox::next_lane() noexcept {
  active_first_ = active_first_->next_listed_;
  if (!active_first_) active_last_ = nullptr;
}

/// The consumer of a lane that ran dry would read its tail again and again, and take that line away from the sender for
/// every message. While lanes are kept listed it looks at each only once per run.
bool Mailbox::has_more(Lane& lane) noexcept {
  if (lane.position() < lane.known_) return true;
  if (keep_listed_ && std::exchange(lane.looked_in_, run_) == run_) return false;
  if (keep_listed_ && base::can_order_all_threads()) lane.attend();
  lane.known_ = lane.filled();
  return lane.position() < lane.known_;
}

wire::Envelope* Mailbox::take_from_lanes() noexcept {
  const Lane* first_dry = nullptr;
  while (true) {
    if (burst_left_ == 0 || !active_first_) {
      if (listed_.load(std::memory_order_relaxed)) adopt_listed();
      if (!active_first_) return nullptr;
      if (burst_left_ == 0 && active_first_ != active_last_) {
        Lane& lane = *active_first_;
        next_lane();
        put_last(lane);
      }
      burst_left_ = burst_messages;
    }
    Lane& lane = *active_first_;
    if (!has_more(lane)) {
      if (&lane == first_dry) return nullptr;  // all of them are dry, and stay listed
      if (!keep_listed_) {
        next_lane();
        if (!lane.unlist()) put_last(lane);
      } else {
        if (!first_dry) first_dry = &lane;
        if (listed_.load(std::memory_order_relaxed)) adopt_listed();
        if (active_first_ != active_last_) {
          next_lane();
          put_last(lane);
        }
      }
      burst_left_ = burst_messages;
      continue;
    }
    --burst_left_;
    return &take_at(lane, lane.position(), lane.known_);
  }
}

bool Mailbox::has_listed() const noexcept {
  return listed_.load(std::memory_order_acquire) != nullptr || first_size_.load(std::memory_order_acquire) != 0 ||
         conflation_size_.load(std::memory_order_acquire) != 0;
}

void Mailbox::lose(wire::Envelope& envelope, DropReason reason) noexcept {
  count_dropped(reason);
  if (envelope.kind != wire::Kind::request) return;
  wire::Extra& extra = *envelope.extra;
  extra.return_address->fail(extra.correlation, answer_for(reason));
}

bool Mailbox::begin_closing(DropReason reason) noexcept {
  std::uint8_t expected = open_;
  const bool first = closing_.compare_exchange_strong(expected, static_cast<std::uint8_t>(reason));
  if (!first) return false;
  room_.wake_all();
  std::vector<Function<void()>> never;
  const std::lock_guard lock{mutex_};
  never.swap(room_callbacks_);
  return true;
}

void Mailbox::sweep() noexcept {
  const std::lock_guard lock{consumer_};
  keep_listed_ = false;
  wire::Reclaimer reclaimer;
  for (Taken taken; take(taken);) {
    if (taken.envelope->kind != wire::Kind::event) lose(*taken.envelope, closing_reason());
    reclaimer.release(taken.envelope);
  }
}

bool Mailbox::half_free() const noexcept {
  const Load used = admission_.used();
  return messages_in(used) <= messages_in(admission_.bound()) / 2 && bytes_in(used) <= bytes_in(admission_.bound()) / 2;
}

/// Waking a sender for every message would cost a call to the kernel each: it sleeps until half is free. It raises
/// `room_wanted_` before it looks; the consumer makes room before it reads that. The consumer's store may still be on
/// its way when it reads, so a wake-up can be missed, and room for a few is not told: senders nap for a millisecond at
/// most and look again.
void Mailbox::wait_for_room(Duration nap) noexcept {
  // A quick consumer has made half of the room before a sleeper would have fallen asleep, and is spared waking it.
  if (base::spin([this, looks = 0u]() mutable noexcept { return ++looks % 4 == 0 && half_free(); })) return;
  const auto key = room_.prepare();
  room_wanted_.store(true);
  if (half_free()) room_.cancel();
  else room_.wait(key, base::steady_now() + nap);
}

void Mailbox::wake_senders() noexcept {
  if (!half_free()) return;
  room_wanted_.store(false, std::memory_order_relaxed);
  room_.wake_all();
  tell_room();
}

/// Whoever misses this one because the consumer's store is still on its way is told when the consumer ends its run, which
/// is a barrier, or with the next message.
void Mailbox::when_room(Function<void()> fn) noexcept {
  try {
    const std::lock_guard lock{mutex_};
    if (closing()) return;
    room_callbacks_.push_back(std::move(fn));
  } catch (const std::bad_alloc&) {
    return;  // its peer is told with the next message that leaves
  }
  room_wanted_.store(true);
  if (half_free()) tell_room();
}

void Mailbox::tell_room() noexcept {
  std::vector<Function<void()>> ready;
  {
    const std::lock_guard lock{mutex_};
    ready.swap(room_callbacks_);
  }
  for (auto& one : ready) one();
}

std::uint64_t Mailbox::waiting() const noexcept {
  const std::lock_guard lock{mutex_};
  std::uint64_t sum = first_waiting_.load(std::memory_order_relaxed) + conflation_size_.load(std::memory_order_acquire);
  for (const auto& lane : lanes_) sum += lane->waiting();
  return sum;
}

SinkStats Mailbox::stats(const char* kind) const {
  SinkStats stats;
  stats.name = name_;
  stats.kind = kind;
  stats.queue_messages_max = queue_.messages;
  stats.queue_bytes_max = queue_.bytes;
  // Delivered and dropped are read before offered, so that a snapshot under traffic never counts below zero.
  stats.delivered = delivered_.load(std::memory_order_acquire);
  dropped_.add_to(stats.dropped);
  // A lane's ends, and one lane after another, are read while others push and take: the sum may be of messages that never
  // waited together, and then it changes when it is read again. What stays above the bound is told as it is.
  stats.waiting = waiting();
  std::uint64_t last = stats.waiting;
  for (int looks = 0, same = 0; stats.waiting > queue_.messages && same < 3 && looks < 64; ++looks) {
    const std::uint64_t again = waiting();
    same = again == last ? same + 1 : 0;
    last = again;
    stats.waiting = std::min(stats.waiting, again);
  }
  stats.refused = refused_.load(std::memory_order_relaxed);
  stats.offered = first_offered_.load(std::memory_order_acquire);
  const std::lock_guard lock{mutex_};
  for (const auto& lane : lanes_) stats.offered += lane->offered();
  const std::uint64_t known = stats.delivered + stats.dropped.total() + stats.waiting;
  stats.in_transit = stats.offered > known ? stats.offered - known : 0;
  return stats;
}

}  // namespace midplane::inline v0::mailbox
