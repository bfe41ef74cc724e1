#pragma once
/// Somewhere far an envelope can be offered. Near ones are mailboxes, which a route fills through lanes.

#include <cstdint>
#include <span>
#include <string_view>

#include <midplane/options.hpp>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// What became of an offer. `dropped` is counted by the sink, under its reason. `refused`: nothing happened, try again.
enum class Offer : std::uint8_t { taken, dropped, refused };

/// What a message is offered with.
struct Terms {
  std::span<const std::string_view> groups{};  ///< of the other side, that a member there was chosen of
  bool is_reserved = false;                    ///< room was reserved for it before
  bool may_wait = false;                       ///< the sender would rather wait than lose it: `refused` when it is full
  bool was_expected = false;                   ///< `expect` was called for it
};

/// One topic at one peer, for all of that peer's subscriptions. Counts what it was offered and lost. Any thread; never
/// blocks but in `wait_for_room`.
class TopicSink {
 public:
  virtual ~TopicSink() = default;
  /// Copies the payload or counts its own reference; the caller keeps its own.
  virtual Offer offer(Envelope& envelope, const Terms& terms) noexcept = 0;
  /// `envelope` was retained instead of `before`, may be null, and will be offered here once there is room: until then
  /// joiners get what was retained before it, since it is still to come to them. Serialised with `join`.
  virtual void expect(Envelope& envelope, Envelope* before) noexcept = 0;
  /// From here on messages are for this subscription too. With a `retained` message it is offered that first, alone.
  virtual void join(std::uint32_t subscription, Envelope* retained) noexcept = 0;
  /// The message would be taken now.
  [[nodiscard]] virtual bool has_room(std::uint32_t bytes) noexcept = 0;
  /// Room for one message, until it is offered or taken back.
  [[nodiscard]] virtual bool reserve(std::uint32_t bytes) noexcept = 0;
  virtual void unreserve() noexcept = 0;
  /// The most patient policy of its subscriptions, and the longest wait of those that block.
  [[nodiscard]] virtual Overflow overflow() const noexcept = 0;
  [[nodiscard]] virtual Duration block_for() const noexcept = 0;
  /// Sleeps until there may be room for a message of this size, at most `nap`; callers look again themselves.
  virtual void wait_for_room(std::uint32_t bytes, Duration nap) noexcept = 0;
  [[nodiscard]] virtual std::string_view peer() const noexcept = 0;
};

/// One service at one peer. Any thread; never blocks.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Copies the payload or counts its own reference; the caller keeps its own.
  virtual Offer offer(Envelope& envelope) noexcept = 0;
  /// Tells the server that the asker gave up.
  virtual void cancel(ReturnAddress& asker, std::uint64_t correlation) noexcept = 0;
  [[nodiscard]] virtual std::string_view peer() const noexcept = 0;
};

}  // namespace midplane::inline v0::wire
