#pragma once
/// Where answers to a peer's requests go: back over the connection that brought them. Outlives it, and then does
/// nothing.

#include <memory>

#include "link/peer.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::link {

class PeerReturn final : public wire::ReturnAddress {
 public:
  explicit PeerReturn(std::weak_ptr<Peer> peer) noexcept : peer_{std::move(peer)} {}

  void reply(std::uint64_t correlation, wire::Envelope* reply) noexcept override;
  void fail(std::uint64_t correlation, const Error& error) noexcept override;
  wire::ItemSent item(std::uint64_t correlation, wire::Envelope* item) noexcept override;
  void when_writable(std::uint64_t correlation, Function<void()> ready) noexcept override;
  [[nodiscard]] bool cancelled(std::uint64_t correlation) const noexcept override;
  void when_cancelled(std::uint64_t correlation, Function<void()> gave_up) noexcept override;

 private:
  Put send(Peer& peer, std::uint64_t correlation, wire::Envelope* reply, const wire::Body& meta) noexcept;
  /// Without memory for a large reply the asker is told so: a failure fits anywhere.
  void send_failure(Peer& peer, std::uint64_t correlation, const Error& error) noexcept;

  std::weak_ptr<Peer> peer_;
};

}  // namespace midplane::inline v0::link
