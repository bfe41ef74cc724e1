#pragma once
/// One sender's way into one mailbox: a single-producer ring of envelopes. docs/decisions.md tells why pointers, why an
/// own ring, and what the losers measured.
///
/// Memory orders: the producer fills a slot and stores `tail_` with release; the consumer loads it with acquire. That a
/// slot is free is known from Admission, so the producer never reads `head_`. `listing_` is set and cleared by
/// read-modify-writes only: if the producer's comes second it sees "not listed" and lists the lane; if it comes first,
/// the consumer's acquires it and sees the new tail when it looks again. So no message is left behind and no fence is
/// needed. With `Telling::later` one such read-modify-write of the producer stands behind many stores of `tail_`: what is
/// said of the last of them holds for all, and until it comes nobody waits for them but who looks by himself.
/// `attend` stores: the lane is listed then, so that nobody else changes the mark.
///
/// A message that went into several lanes needs one `order_pushes` instead, a sequentially consistent fence between the
/// stores of all the tails and the loads of all the marks. When `looks_listed` reads what the consumer's exchange of
/// `listing_` overwrites, that exchange is behind the fence in the one order of such operations, and so is its load of
/// `tail_`, which therefore sees the store.
///
/// While a consumer keeps looking by itself it has the lane `attended`. The producer then only stores `tail_` and loads
/// `listing_`, which the processor may do in the other order; the consumer, when it goes to rest, orders all threads between
/// taking the mark away and loading `tail_`. The producer's two are on one side of that or on the other: either its store is
/// seen, or it sees that the mark is gone. A producer whose exchange overwrites the mark has told by it. Where the system refuses to order
/// them, the lane stays listed and is looked at again without having been attended.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>

#include "base/orders.hpp"
#include "base/prefetch.hpp"
#include "base/process_barrier.hpp"
#include "mailbox/admission.hpp"
#include "mailbox/counters.hpp"
#include "wire/envelope.hpp"

namespace midplane::inline v0::mailbox {

/// When the mailbox is told of a lane that is no longer empty. `later`: by who pushed, whatever was listed, before
/// anything waits for the message; many messages share one read-modify-write then.
enum class Telling : bool { now, later };

/// Marks a slot whose message was published before the subscription joined.
inline constexpr std::uintptr_t retained_tag = 1;

/// `Orders`: base::Proven, or a seeded defect in the tests.
template <class Orders>
class BasicLane {
 public:
  /// `ordinal` counts the lanes of the mailbox from 1: the k-th may hold 1/(16 k^2) of the bound in advance, which
  /// sums up to less than an eighth however many there are. Null without memory.
  static std::unique_ptr<BasicLane> make(Admission& admission, std::uint64_t ordinal) noexcept {
    const Load bound = admission.bound();
    const std::uint64_t capacity = std::bit_ceil(messages_in(bound));
    std::unique_ptr<wire::Envelope*[]> slots{new (std::nothrow) wire::Envelope*[capacity]};
    if (!slots) return nullptr;
    const std::uint64_t share = 16 * std::min<std::uint64_t>(ordinal, 4096) * std::min<std::uint64_t>(ordinal, 4096);
    const Load chunk = load_of(messages_in(bound) / share, bytes_in(bound) / share);
    return std::unique_ptr<BasicLane>{new (std::nothrow) BasicLane{admission, std::move(slots), capacity - 1, chunk}};
  }

  // The producer: one thread at a time.

  /// Room for `messages` of `bytes` together, out of what the lane holds in advance or of the mailbox.
  bool reserve(std::uint64_t bytes, std::uint64_t messages = 1) noexcept {
    const Load need = load_of(messages, bytes);
    if (fits(need, allowance_)) {
      allowance_ -= need;
      return true;
    }
    return reserve_more(need);
  }
  /// Takes back a reservation that was not used.
  void unreserve(std::uint64_t bytes) noexcept { allowance_ += load_of(1, bytes); }
  /// After `reserve`; takes over one reference. True when the mailbox has to be told: by `Mailbox::list`, when it may be
  /// `later` by `Mailbox::list_if_new`.
  bool push(wire::Envelope* envelope, Telling telling = Telling::now) noexcept {
    const std::uint64_t at = tail_.load(std::memory_order_relaxed);
    fill(at, envelope);
    return end_push(at + 1, telling);
  }
  /// The same for several, which are seen together.
  bool push(std::span<wire::Envelope* const> envelopes, Telling telling) noexcept {
    std::uint64_t at = tail_.load(std::memory_order_relaxed);
    for (wire::Envelope* const envelope : envelopes) fill(at++, envelope);
    return end_push(at, telling);
  }
  /// Between pushes with `Telling::later` and looking which of their lanes have to be listed.
  static void order_pushes() noexcept { std::atomic_thread_fence(Orders::seq_cst); }
  /// Behind `order_pushes`: true when the consumer will look again by itself.
  [[nodiscard]] bool looks_listed() const noexcept { return listing_.load(std::memory_order_relaxed) != Listing::none; }
  /// Behind pushes: true when the consumer will look again by itself, and no fence is needed to know it.
  [[nodiscard]] bool is_attended() const noexcept {
    base::order_for_compiler();
    return listing_.load(std::memory_order_relaxed) == Listing::attended;
  }
  /// False when it is listed already.
  bool mark_listed() noexcept { return !is_attended() && listing_.exchange(Listing::listed, Orders::acq_rel) == Listing::none; }
  /// Gives back what the lane holds in advance: when the sender leaves.
  void return_allowance() noexcept {
    admission_.unreserve(allowance_);
    allowance_ = 0;
  }
  /// An offer that is lost, or waits beside the lane.
  void count_unqueued() noexcept { bump(unqueued_); }

  // The consumer: one thread at a time.

  [[nodiscard]] std::uint64_t filled() const noexcept { return tail_.load(Orders::acquire); }
  [[nodiscard]] std::uint64_t position() const noexcept { return head_.load(std::memory_order_relaxed); }
  [[nodiscard]] wire::Envelope* peek(std::uint64_t at) const noexcept { return slots_[at & mask_]; }
  /// The message at `position` has left the queue.
  void advance(std::uint64_t at, std::uint64_t bytes) noexcept {
    head_.store(at + 1, std::memory_order_release);  // whoever sees the lane empty sees who emptied it at work
    admission_.release(load_of(1, bytes));
  }
  /// It stays listed while it is empty: the producer is spared the read-modify-write from now on, and `unlist` orders for both.
  void attend() noexcept {
    if (listing_.load(std::memory_order_relaxed) != Listing::attended) listing_.store(Listing::attended, std::memory_order_relaxed);
  }
  /// True when it stayed empty; otherwise it counts as listed again or the producer has listed it.
  bool unlist() noexcept {
    // What can not be ordered is looked at once more, as a lane that is not attended.
    if (listing_.exchange(Listing::none, Orders::seq_cst) == Listing::attended && !Orders::all_threads()) return !mark_listed();
    if (tail_.load(Orders::seq_cst) == position()) return true;
    return !mark_listed();
  }

  // Any thread.

  [[nodiscard]] std::uint64_t waiting() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? tail - head : 0;
  }
  [[nodiscard]] std::uint64_t offered() const noexcept {
    return tail_.load(std::memory_order_relaxed) + unqueued_.load(std::memory_order_relaxed);
  }

 private:
  enum class Listing : std::uint8_t { none, listed, attended };
  BasicLane(Admission& admission, std::unique_ptr<wire::Envelope*[]> slots, std::uint64_t mask, Load chunk) noexcept
      : admission_{admission}, slots_{std::move(slots)}, mask_{mask}, chunk_{chunk} {}
  void fill(std::uint64_t at, wire::Envelope* envelope) noexcept {
    if ((at & 7) == 0) base::prefetch_to_write(&slots_[(at + 16) & mask_]);
    slots_[at & mask_] = envelope;
  }
  bool end_push(std::uint64_t tail, Telling telling) noexcept {
    tail_.store(tail, Orders::release);
    return telling == Telling::later || mark_listed();
  }
  /// Messages and bytes are topped up apart from each other: what one of them lacks must not pile up the other.
  bool reserve_more(Load need) noexcept {
    const std::uint64_t messages = missing(messages_in(need), messages_in(allowance_));
    const std::uint64_t bytes = missing(bytes_in(need), bytes_in(allowance_));
    const Load lacking = load_of(messages, bytes);
    const Load ahead = load_of(messages != 0 ? messages_in(chunk_) : 0, bytes != 0 ? bytes_in(chunk_) : 0);
    if (admission_.reserve(lacking + ahead)) allowance_ += lacking + ahead;
    else if (admission_.reserve(lacking)) allowance_ += lacking;
    else return false;
    allowance_ -= need;
    return true;
  }
  static std::uint64_t missing(std::uint64_t need, std::uint64_t held) noexcept { return need > held ? need - held : 0; }

  friend class Mailbox;
  BasicLane* next_listed_ = nullptr;  // written by whoever lists it, read by the consumer
  [[nodiscard]] bool is_free() const noexcept { return uses_ == 0 && (comes_back_.expired() || waiting() == 0); }
  // Under the mailbox's mutex: whose it is, and how often it was opened; 0: it waits for the next sender.
  const void* sender_ = nullptr;
  std::uint32_t uses_ = 0;
  std::weak_ptr<const void> comes_back_;  ///< while it lives the sender may come back behind what waits
  Admission& admission_;
  std::unique_ptr<wire::Envelope*[]> slots_;
  std::uint64_t mask_;
  Load chunk_;
  alignas(64) Load allowance_ = 0;  // the producer's line
  std::atomic<std::uint64_t> unqueued_{0};
  std::atomic<std::uint64_t> tail_{0};
  std::atomic<Listing> listing_{Listing::none};
  alignas(64) std::atomic<std::uint64_t> head_{0};  // the consumer's line
  std::uint64_t known_ = 0;       ///< of `tail_`: what it saw last
  std::uint32_t looked_in_ = 0;   ///< the run in which it looked
};

using Lane = BasicLane<base::Proven>;

}  // namespace midplane::inline v0::mailbox
