#pragma once
/// What happened to the bus, for programs: peers, subscriptions, losses, closing.

#include <cstdint>
#include <string_view>

#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// What an Event or a SubscriptionEvent tells. Closed set.
enum class EventKind : std::uint8_t {
  peer_up,               ///< a link is up
  peer_lost,             ///< a link ended
  peer_refused,          ///< a peer was refused; the detail says why
  confirmed,             ///< a far subscription is live
  gap,                   ///< numbers first to last never arrived; first 0: an unknown number of them
  incarnation_changed,   ///< a publisher was restarted
  schema_mismatch,       ///< two types of one name do not agree
  handler_failed,        ///< a handler threw; it was caught and counted
  drained,               ///< a drain has ended
  closed,                ///< the bus is closed
};
/// `peer_up`, as written above.
[[nodiscard]] std::string_view name_of(EventKind kind) noexcept;

/// One thing that happened; views end with the call.
struct Event {
  EventKind kind;  ///< what it was
  std::string_view name;    ///< topic, service or peer
  std::string_view detail;  ///< why, or between whom; may be empty
  std::uint64_t first = 0;  ///< gap: the first missing number
  std::uint64_t last = 0;   ///< gap: the last missing number
  Instant at;  ///< of the bus's clock
};

/// Law: `event` may be called from any thread and must not block. Views end with the call.
class EventSink {
 public:
  virtual ~EventSink() = default;
  /// Any thread, also one that publishes; must not block.
  virtual void event(const Event& event) noexcept = 0;
};

}  // namespace v0
}  // namespace midplane
