#pragma once
/// A subscription's bounded queue: lanes from its senders, a list of those that are not empty, the bound they share and
/// the overflow policy. Who takes the messages out is said by the two kinds: Runner (a handler) and PullBox (an inbox).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <midplane/extend/executor.hpp>
#include <midplane/options.hpp>
#include <midplane/stats.hpp>

#include "base/flag.hpp"
#include "base/parking.hpp"
#include "base/prefetch.hpp"
#include "mailbox/admission.hpp"
#include "mailbox/conflation.hpp"
#include "mailbox/counters.hpp"
#include "mailbox/lane.hpp"

namespace midplane::inline v0::mailbox {

enum class Offered : std::uint8_t { queued, dropped, full };

/// A message on its way out of the queue; the holder has one reference.
struct Taken {
  wire::Envelope* envelope = nullptr;
  bool retained = false;
};

/// Events that may wait for one subscription.
inline constexpr std::size_t events_max = 1024;

/// A handler takes this many messages of one lane before it looks at the next one.
inline constexpr std::uint32_t burst_messages = 64;

class Mailbox {
 public:
  Mailbox(std::string name, Queue queue, bool shared_consumer);
  Mailbox(const Mailbox&) = delete;

  // Senders. A lane is used by one sender at a time; its calls are serialised by that sender.

  /// The sender's lane; the same one each time it asks, until it has closed it as often. Null without memory. The lane
  /// lives as long as the mailbox. A closed one goes to another sender; while `comes_back` lives only when it is empty.
  Lane* open_lane(const void* sender, const std::weak_ptr<const void>& comes_back = {}) noexcept;
  void close_lane(Lane& lane) noexcept;
  /// Offers one message under every policy but `refuse` and `block`, whose room the sender reserves first. Takes over
  /// one reference when it answers `queued`. Sets `listed` when the caller has to call `list`, or `list_if_new`.
  Offered offer(Lane& lane, wire::Envelope* envelope, bool& listed, Telling telling = Telling::now) noexcept;
  /// The same for several, under every policy but those and `latest`: all, or none when there is no room for all.
  bool offer_all(Lane& lane, std::span<wire::Envelope* const> envelopes, bool& listed, Telling telling) noexcept;
  /// A lane has become non-empty: tells the consumer. An inline handler runs in here.
  void list(Lane& lane) noexcept;
  /// The same for messages that were pushed with `Telling::later`.
  void list_if_new(Lane& lane) noexcept {
    if (queue_.overflow == Overflow::latest || lane.mark_listed()) list(lane);
  }
  void count_dropped(DropReason reason, std::uint64_t messages = 1) noexcept { count_drop(dropped_, reason, messages); }
  /// An offer that can not enter any queue: counted as offered and lost.
  void count_lost_offer(DropReason reason) noexcept {
    first_offered_.fetch_add(1, std::memory_order_relaxed);
    count_dropped(reason);
  }
  void count_refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }
  /// Beside the lanes and before them: what was retained, counted as offered. Takes over one reference. The consumer is
  /// told by `poke`, which may run an inline handler.
  void put_retained(wire::Envelope* envelope) noexcept;
  /// An event, not counted, behind all that the sender has put into its lane so far; without a sender at once. Takes
  /// over one reference. False: as many as may be wait already, and this one is gone.
  bool put_event(wire::Envelope* envelope, const void* sender) noexcept;

  void poke() noexcept {
    if (first_size_.load(std::memory_order_acquire) != 0) wake();
  }
  /// The executor that empties it; null: its user does.
  [[nodiscard]] virtual std::shared_ptr<Executor> drainer() const noexcept = 0;
  /// By the calling thread, inside its handler, and by nobody else meanwhile.
  [[nodiscard]] virtual bool is_emptied_here() const noexcept { return false; }
  /// Sleeps until there may be room, at most `nap`; callers look again themselves.
  void wait_for_room(Duration nap) noexcept;
  /// Calls `fn` once half of the queue is free, on the thread that frees it; at once when it is. Never after closing.
  void when_room(Function<void()> fn) noexcept;

  /// Ends it: nothing enters a handler any more; what waits is counted under `reason`. See the two kinds for waiting.
  virtual void close(DropReason reason) noexcept = 0;
  [[nodiscard]] bool closing() const noexcept { return closing_.load(std::memory_order_acquire) != open_; }
  [[nodiscard]] DropReason closing_reason() const noexcept {
    return static_cast<DropReason>(closing_.load(std::memory_order_acquire));
  }
  /// Drops everything that waits; the consumer's side must be at rest.
  void sweep() noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Queue& queue() const noexcept { return queue_; }
  [[nodiscard]] std::uint64_t waiting() const noexcept;
  [[nodiscard]] SinkStats stats(const char* kind) const;

  [[nodiscard]] bool is_last_reference() const noexcept { return references_.load(std::memory_order_acquire) == 1; }
  void ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~Mailbox();
  /// Something waits now: gets a consumer going.
  virtual void wake() noexcept = 0;

  /// The next message; false when nothing waits. The consumer, one thread at a time (`consumer_` when shared).
  bool take(Taken& taken) noexcept;
  /// The short way of `take`, right behind it, when the consumer is not shared: hands what follows in the same lane, as far
  /// as it is known and at most `messages` of it, to `each`. How many; 0: use `take`.
  template <class Each>
  std::uint32_t take_behind(std::uint32_t messages, Each&& each) noexcept {
    if (!active_first_ || first_size_.load(std::memory_order_acquire) != 0) return 0;
    Lane& lane = *active_first_;
    const std::uint64_t begin = lane.position();
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>({lane.known_ - begin, messages, burst_left_}));
    burst_left_ -= count;
    const std::uint64_t known = lane.known_;
    for (std::uint64_t at = begin; at != begin + count; ++at) each(take_at(lane, at, known));
    return count;
  }
  /// The consumer: lanes were left non-empty.
  [[nodiscard]] bool has_active() const noexcept { return active_first_ != nullptr; }
  /// Any thread: something was told since the consumer looked last.
  [[nodiscard]] bool has_listed() const noexcept;
  /// Counts a message that was taken out and not delivered; a request is answered.
  void lose(wire::Envelope& envelope, DropReason reason) noexcept;
  /// With `keep_listed` lanes that run dry stay listed, so that their senders need not tell of the next message: the consumer looks.
  void begin_run(bool keep_listed) noexcept {
    keep_listed_ = keep_listed;
    ++run_;
  }
  void count_delivered() noexcept {
    if (shared_consumer_) delivered_.fetch_add(1, std::memory_order_relaxed);
    else bump(delivered_);
  }
  /// Room was made: wakes the senders that wait, once half is free.
  void room_made() noexcept {
    if (room_wanted_.load(std::memory_order_relaxed)) wake_senders();
  }
  void wake_senders() noexcept;
  [[nodiscard]] bool half_free() const noexcept;
  void tell_room() noexcept;
  /// False when it is closing already.
  bool begin_closing(DropReason reason) noexcept;

  base::Flag consumer_;  ///< held around `take` when several threads may take or evict
  const bool shared_consumer_;

 private:
  Offered offer_evicting(Lane& lane, wire::Envelope* envelope, bool& listed, Telling telling) noexcept;
  Offered offer_conflating(Lane& lane, wire::Envelope* envelope, bool& listed) noexcept;
  bool evict(Lane& own) noexcept;
  wire::Envelope* take_from_lanes() noexcept;
  /// Its next message, which stands `at`, before `known`; those behind it are fetched.
  static wire::Envelope& take_at(Lane& lane, std::uint64_t at, std::uint64_t known) noexcept {
    wire::Envelope& envelope = *lane.peek(at);
    if (at + 6 < known) base::prefetch(lane.peek(at + 6));
    if (at + 3 < known) base::prefetch(lane.peek(at + 3)->payload);
    lane.advance(at, envelope.size);
    return envelope;
  }
  bool has_more(Lane& lane) noexcept;
  /// What goes before the lanes; an event is ripe when its sender's lane, or the conflated messages, have come to `at`.
  struct First {
    Taken taken;
    const Lane* lane = nullptr;
    std::uint64_t at = 0;
  };
  [[nodiscard]] bool is_ripe(const First& first) const noexcept {
    if (first.lane) return first.lane->position() >= first.at;
    return first.at == 0 || conflation_.has_passed(first.at);
  }
  bool take_first(Taken& taken) noexcept;
  void adopt_listed() noexcept;
  void put_last(Lane& lane) noexcept;
  void next_lane() noexcept;

  static constexpr std::uint8_t open_ = 255;

  const std::string name_;
  const Queue queue_;
  Admission admission_;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::uint8_t> closing_{open_};

  alignas(64) std::atomic<Lane*> listed_{nullptr};  ///< pushed by senders, taken whole by the consumer

  alignas(64) Lane* active_first_ = nullptr;  // the consumer's: lanes known to be non-empty, in turn
  Lane* active_last_ = nullptr;
  std::uint32_t burst_left_ = 0;
  std::uint32_t run_ = 0;
  bool keep_listed_ = false;
  std::atomic<std::uint64_t> delivered_{0};

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<First> first_;
  std::size_t events_ = 0;  ///< in first_
  std::atomic<std::size_t> first_size_{0};
  std::atomic<std::uint64_t> first_offered_{0};
  std::atomic<std::uint64_t> first_waiting_{0};  ///< retained messages only
  Conflation conflation_;
  std::atomic<std::size_t> conflation_size_{0};
  DropCounters dropped_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> room_wanted_{false};
  std::vector<Function<void()>> room_callbacks_;
  base::Parking room_;
};

}  // namespace midplane::inline v0::mailbox
