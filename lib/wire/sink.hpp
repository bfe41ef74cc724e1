#pragma once
/// Somewhere far an envelope can be offered. Near ones are mailboxes, which a route fills through lanes.

#include <cstdint>
#include <string_view>

#include <midplane/stats.hpp>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// What became of an offer. `dropped` is counted by the sink, under its reason.
enum class Offer : std::uint8_t { taken, dropped, refused };

/// One far subscription or server. Counts what it was offered and lost. Any thread; never blocks.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Copies the payload or counts its own reference; the caller keeps its own.
  virtual Offer offer(Envelope& envelope) noexcept = 0;
  /// The same for a message that was published before the other side joined.
  virtual Offer offer_retained(Envelope& envelope) noexcept { return offer(envelope); }
  /// Requests: tells the server that the asker gave up.
  virtual void cancel(ReturnAddress& asker, std::uint64_t correlation) noexcept = 0;
  [[nodiscard]] virtual std::string_view peer() const noexcept = 0;
  [[nodiscard]] virtual SinkStats stats() const = 0;
};

}  // namespace midplane::inline v0::wire
