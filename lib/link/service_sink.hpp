#pragma once
/// A service at one peer, over one connection: a client's attempt offers its requests here.

#include <memory>
#include <string_view>

#include "link/peer.hpp"
#include "link/remote.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::link {

class ServiceSink final : public wire::Sink {
 public:
  ServiceSink(std::shared_ptr<Peer> peer, std::shared_ptr<FarTotals> totals, std::uint32_t name) noexcept
      : peer_{std::move(peer)}, totals_{std::move(totals)}, name_{name} {}

  /// `taken`: exactly one of reply and fail will come to the envelope's return address, unless `cancel` comes first.
  /// `refused`: too many are unanswered (busy). `dropped`: the peer is gone. Then nothing will come.
  wire::Offer offer(wire::Envelope& envelope) noexcept override;
  void cancel(wire::ReturnAddress& asker, std::uint64_t correlation) noexcept override;
  [[nodiscard]] std::string_view peer() const noexcept override;
  [[nodiscard]] PeerId peer_id() const noexcept;

 private:
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<FarTotals> totals_;
  std::uint32_t name_;
};

}  // namespace midplane::inline v0::link
