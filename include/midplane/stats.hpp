#pragma once
/// Every counter and limit of a bus, with stable names. Each term is counted where it happens:
/// at rest `offered = delivered + sum of dropped + waiting`; under traffic `in_transit` is the difference.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Why an offered message was lost. Closed set.
enum class DropReason : std::uint8_t {
  queue_full_newest,
  queue_full_oldest,
  conflated,
  expired,
  handler_failed,
  unsubscribed,
  closed,
  too_large,
  malformed,
  schema_mismatch,
  unauthorised,
  no_memory,
  link_lost,
};
/// How many there are.
inline constexpr std::size_t drop_reasons = 13;
/// `queue_full_newest`, as written above.
[[nodiscard]] std::string_view name_of(DropReason reason) noexcept;

/// Losses by their reason.
struct Drops {
  std::array<std::uint64_t, drop_reasons> by_reason{};  ///< in the order of DropReason
  /// How many for this reason.
  [[nodiscard]] std::uint64_t operator[](DropReason reason) const noexcept {
    return by_reason[static_cast<std::size_t>(reason)];
  }
  /// For all reasons.
  [[nodiscard]] std::uint64_t total() const noexcept;
  /// For people: `queue_full_oldest 3, conflated 1`; `none` when nothing was lost.
  [[nodiscard]] std::string text() const;
};

/// One subscription, inbox, server or far sink.
struct SinkStats {
  std::string name;  ///< topic, pattern or service
  std::string kind;  ///< "subscription", "server", "link" or "link_service"
  std::string peer;  ///< far sinks: the peer; empty: near
  std::uint64_t offered = 0;  ///< messages that came to it
  std::uint64_t delivered = 0;  ///< taken by a handler or reader; far sinks: arrived at the peer, which counts it again there
  std::uint64_t waiting = 0;  ///< in its queue now
  std::uint64_t in_transit = 0;  ///< offered, and not counted under another term yet
  std::uint64_t refused = 0;  ///< publishes answered `full` because of this one; no loss
  Drops dropped;  ///< by reason
  std::size_t queue_messages_max = 0;  ///< its bound; 0: of a link, where the bounds of the far subscriptions hold
  std::size_t queue_bytes_max = 0;  ///< as queue_messages_max
};

/// All publishers of one topic of this bus.
struct TopicStats {
  std::string name;  ///< the topic
  std::string type;  ///< fully qualified; empty: raw bytes
  std::uint64_t published = 0;  ///< publishes that returned no error
  std::uint64_t payload_bytes = 0;  ///< of those
};

/// One bus: who publishes, who takes, what is asked, what memory is used.
struct Stats {
  std::string bus;  ///< its name
  std::string incarnation;  ///< 32 hex digits, new for each Bus::open
  std::vector<TopicStats> topics;  ///< published by this bus, by name
  std::vector<SinkStats> sinks;  ///< live and ended ones that had traffic, by peer, kind and name
  std::uint64_t requests_sent = 0;  ///< by clients of this bus
  std::uint64_t requests_pending = 0;  ///< without an outcome yet
  std::uint64_t requests_ok = 0;  ///< ended with a reply
  std::uint64_t requests_failed = 0;  ///< ended with an error
  std::uint64_t payload_memory_bytes = 0;  ///< in use now
  std::uint64_t payload_memory_bytes_max = 0;  ///< as in Limits
  std::uint64_t handler_exceptions = 0;  ///< caught from handlers, callbacks and timers

  /// The first of this name; null when there is none. Valid while this is.
  [[nodiscard]] const SinkStats* find_sink(std::string_view name) const noexcept;
  /// One line, names as here.
  [[nodiscard]] std::string to_json() const;
};

/// What a drain or close found: P3 holds for its sum, but for the messages that handlers have in hand.
struct Report {
  bool complete = false;           ///< everything ended within the duration
  std::uint64_t delivered = 0;  ///< by all its sinks: taken by handlers and readers here, and arrived at peers
  std::uint64_t waiting = 0;  ///< still there at the end
  Drops dropped;  ///< by reason
  std::string stuck;               ///< the subscription or service whose handler did not return, or (a
                                   ///< drain) that has messages left; else the bus of which a timer, or on
                                   ///< its own executor a continuation, did not return; empty: none
};

}  // namespace v0
}  // namespace midplane
