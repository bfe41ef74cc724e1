#pragma once
/// Whoever sends payloads from this bus: publisher, client, server.

#include <midplane/publisher.hpp>

#include "base/fork.hpp"
#include "wire/payload_memory.hpp"

namespace midplane::inline v0::detail {

/// Pooled memory for the payloads of one sender.
class Sender {
 public:
  Sender(wire::PayloadMemory& memory, wire::Depot* depot, bool alone, std::size_t message_bytes_max) noexcept
      : memory{memory}, depot{depot}, alone{alone}, message_bytes_max{message_bytes_max} {}
  Sender(const Sender&) = delete;
  ~Sender() { memory.retire(depot); }

  /// True in a child of the process that made it, where the depot may be held for ever.
  [[nodiscard]] bool is_inherited() const noexcept { return forks_ != base::forks(); }

  wire::PayloadMemory& memory;
  wire::Depot* const depot;
  const bool alone;  ///< calls are serialised by the user
  const std::size_t message_bytes_max;

 private:
  const std::uint32_t forks_ = base::forks();
};

/// Puts the rare fields of a publish or request into the envelope, which has an Extra.
Result<void> apply_headers(wire::Envelope& envelope, const Headers* headers) noexcept;

}  // namespace midplane::inline v0::detail
