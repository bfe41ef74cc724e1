#pragma once
/// A topic as one peer subscribes it: gives every message offered its number, packs it when the link takes it, and lets
/// it wait here otherwise, under the most patient policy of the peer's subscriptions. One for all of them, so a message
/// crosses once. It lives as long as the peer is remembered.

#include <deque>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include <midplane/schema.hpp>

#include "link/peer.hpp"
#include "link/remote.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::link {

class FarTopicSink final : public wire::TopicSink {
 public:
  FarTopicSink(std::shared_ptr<Remote> remote, std::shared_ptr<FarTotals> totals, std::string topic, const TypeInfo& type,
               Clock& clock) noexcept
      : remote_{std::move(remote)}, totals_{std::move(totals)}, offered_{totals_}, topic_{std::move(topic)}, type_{type}, clock_{clock} {}
  ~FarTopicSink() override;

  wire::Offer offer(wire::Envelope& envelope, const wire::Terms& terms) noexcept override;
  void expect(wire::Envelope& envelope, wire::Envelope* before) noexcept override;
  void join(std::uint32_t subscription, wire::Envelope* retained) noexcept override;
  [[nodiscard]] bool has_room(std::uint32_t bytes) noexcept override;
  [[nodiscard]] bool reserve(std::uint32_t bytes) noexcept override;
  void unreserve() noexcept override;
  [[nodiscard]] Overflow overflow() const noexcept override { return overflow_.load(std::memory_order_relaxed); }
  [[nodiscard]] Duration block_for() const noexcept override { return Duration{block_for_.load(std::memory_order_relaxed)}; }
  void wait_for_room(std::uint32_t bytes, Duration nap) noexcept override;
  [[nodiscard]] std::string_view peer() const noexcept override { return remote_->name; }
  [[nodiscard]] PeerId peer_id() const noexcept { return remote_->id; }

  // With the remote's flag held.
  void add(std::shared_ptr<FarSubscription> subscription);
  void remove(std::uint32_t subscription) noexcept;
  /// Packs what waits, up to the message with this ordinal; false when something of it must go on waiting.
  bool pump(Peer& peer, std::uint64_t up_to) noexcept;
  [[nodiscard]] std::uint64_t first_ordinal() const noexcept { return waiting_.front().ordinal; }
  [[nodiscard]] bool is_empty() const noexcept { return waiting_.empty(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size() - joins_waiting_; }
  [[nodiscard]] FarTotals& totals() noexcept { return *totals_; }
  /// The last number that is not on its way or waiting: what a heartbeat may name.
  [[nodiscard]] std::uint64_t last_settled(const Peer& peer) const noexcept;
  [[nodiscard]] std::uint32_t name_on(const Peer& peer) const noexcept;
  void drop_waiting(DropReason reason) noexcept;

 private:
  friend class Peer;
  struct Waiting {
    wire::Envelope* envelope;  ///< counted; null: here the subscription `only` joins
    std::uint64_t number;
    std::uint64_t ordinal;
    std::uint32_t only;        ///< the one subscription it is for; 0: all
    wire::Body meta;           ///< groups, as they were chosen; else empty
  };
  [[nodiscard]] std::size_t bounded() const noexcept { return waiting() - retained_waiting_; }
  [[nodiscard]] bool queue_has_room(std::uint64_t bytes) const noexcept;
  [[nodiscard]] bool has_credit(std::uint64_t bytes) const noexcept;
  wire::Offer offer_locked(wire::Envelope& envelope, std::span<const std::string_view> groups, std::uint32_t only,
                           bool may_wait) noexcept;
  wire::Offer pack_plain(wire::Envelope& envelope, const wire::Terms& terms) noexcept;
  [[nodiscard]] bool can_pack(Peer& peer, std::uint64_t bytes) const noexcept;
  [[nodiscard]] bool is_full_for_patient(Peer& peer, std::uint64_t bytes) const noexcept;
  Put pack(Peer& peer, wire::Envelope& envelope, std::uint64_t number, const wire::MetaFields& fields) noexcept;
  void spend(std::uint64_t bytes, std::uint32_t only) noexcept;
  bool wait_in_queue(wire::Envelope* envelope, std::uint64_t number, wire::MetaFields fields) noexcept;
  void pop_first() noexcept;
  void let_go(const Waiting& one) noexcept;
  void drop_first(DropReason reason) noexcept;
  [[nodiscard]] bool holds_large(const Peer& peer) const noexcept;
  void send_join(Peer& peer, std::uint32_t subscription) noexcept;
  wire::Offer lost(DropReason reason) noexcept;
  void settle(wire::Envelope* envelope) noexcept;
  void weigh() noexcept;
  void weigh(const Queue& queue, bool is_first) noexcept;

  const std::shared_ptr<Remote> remote_;
  const std::shared_ptr<FarTotals> totals_;
  Tally offered_;  ///< guarded by the remote's flag
  const std::string topic_;
  const TypeInfo& type_;
  Clock& clock_;
  std::atomic<Overflow> overflow_{Overflow::drop_newest};
  std::atomic<std::int64_t> block_for_{0};
  // Guarded by the remote's flag.
  std::vector<std::shared_ptr<FarSubscription>> subscriptions_;
  std::map<std::uint32_t, std::uint64_t> joined_at_;  ///< the last number before each of them joined
  bool any_waits_ = false;
  std::size_t messages_max_ = 0, bytes_max_ = 0;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t joins_waiting_ = 0;
  std::size_t retained_waiting_ = 0;  ///< of those that wait: for one joiner, beyond the bound
  std::size_t reserved_ = 0;
  wire::Envelope* expected_ = nullptr;  ///< the one expected last, not counted; null: it has come
  wire::Envelope* settled_ = nullptr;   ///< what a joiner gets as long as that has not come; counted
  std::uint64_t number_ = 0;        ///< of the message offered last
  bool noted_ = false;              ///< listed for the next heartbeat
  std::uint64_t named_on_ = 0;      ///< the connection that `name_` belongs to
  std::uint32_t name_ = 0;
};

/// Nanoseconds left of what has a deadline, not below zero; -1: it has none.
[[nodiscard]] std::int64_t remaining_of(const wire::Extra* extra, Clock& clock) noexcept;

/// Counters of a far name; `waiting` is counted in the queue.
[[nodiscard]] SinkStats stats_of(const FarTotals& totals, std::uint64_t waiting);

}  // namespace midplane::inline v0::link
