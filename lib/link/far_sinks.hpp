#pragma once
/// Far names as sinks: a route offers a message to a TopicSink, a client's attempt a request to a ServiceSink. There is
/// one per (connection, name), shared by all subscriptions of that peer, so a message crosses once.

#include <memory>
#include <string_view>

#include "link/peer.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::link {

class TopicSink final : public wire::Sink {
 public:
  TopicSink(std::shared_ptr<Peer> peer, std::shared_ptr<FarTotals> totals, std::uint32_t name) noexcept
      : peer_{std::move(peer)}, totals_{std::move(totals)}, name_{name} {}

  /// `taken`: sent or waiting. `dropped`: counted; the number is used up all the same. Never `refused`.
  wire::Offer offer(wire::Envelope& envelope) noexcept override { return offer(envelope, false); }
  wire::Offer offer_retained(wire::Envelope& envelope) noexcept override { return offer(envelope, true); }
  void cancel(wire::ReturnAddress&, std::uint64_t) noexcept override {}
  [[nodiscard]] std::string_view peer() const noexcept override { return peer_->info.name; }
  [[nodiscard]] PeerId peer_id() const noexcept { return peer_->info.id; }
  [[nodiscard]] SinkStats stats() const override;

 private:
  friend class Peer;
  wire::Offer offer(wire::Envelope& envelope, bool retained) noexcept;

  std::shared_ptr<Peer> peer_;
  std::shared_ptr<FarTotals> totals_;
  std::uint32_t name_;
  // Guarded by the peer's flag.
  std::uint64_t number_ = 0;  ///< of the message offered last
  bool noted_ = false;        ///< listed for the next heartbeat
};

class ServiceSink final : public wire::Sink {
 public:
  ServiceSink(std::shared_ptr<Peer> peer, std::shared_ptr<FarTotals> totals, std::uint32_t name) noexcept
      : peer_{std::move(peer)}, totals_{std::move(totals)}, name_{name} {}

  /// `taken`: exactly one of reply and fail will come to the envelope's return address, unless `cancel` comes first.
  /// `refused`: too many are unanswered or waiting (busy). `dropped`: the peer is gone. Then nothing will come.
  wire::Offer offer(wire::Envelope& envelope) noexcept override;
  void cancel(wire::ReturnAddress& asker, std::uint64_t correlation) noexcept override;
  [[nodiscard]] std::string_view peer() const noexcept override { return peer_->info.name; }
  [[nodiscard]] PeerId peer_id() const noexcept { return peer_->info.id; }
  [[nodiscard]] SinkStats stats() const override;

 private:
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<FarTotals> totals_;
  std::uint32_t name_;
};

/// Counters of a far name; `waiting` is counted in the queue.
[[nodiscard]] SinkStats stats_of(const FarTotals& totals, std::uint64_t waiting);

}  // namespace midplane::inline v0::link
