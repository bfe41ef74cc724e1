#pragma once
/// Another bus as long as it is remembered: what it subscribes, the numbers it was given per topic, and the numbers it
/// gave. It outlives connections: while it is away its numbers run on, so that it can be told what it missed.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <midplane/options.hpp>
#include <midplane/time.hpp>

#include "base/flag.hpp"
#include "base/parking.hpp"
#include "link/host.hpp"

namespace midplane::inline v0::link {

class Peer;
class FarTopicSink;

/// One subscription of the other side. When it waits, no more than its queue holds may be sent beyond what has left it.
struct FarSubscription {
  wire::SubscribeBody body;
  bool waits = false;  ///< overflow is refuse or block
  std::uint64_t sent_messages = 0, taken_messages = 0;
  std::uint64_t sent_bytes = 0, taken_bytes = 0;

  [[nodiscard]] bool has_room(std::uint64_t bytes) const noexcept {
    return !waits || (sent_messages - taken_messages < body.queue.messages &&
                      (sent_bytes - taken_bytes + bytes <= body.queue.bytes || sent_messages == taken_messages));
  }
};

struct Remote {
  Remote(const wire::Incarnation& of, PeerId given, std::uint64_t its_series) noexcept
      : incarnation{of}, id{given}, series{its_series} {}

  const wire::Incarnation incarnation;
  const PeerId id;
  std::string name{};          ///< of its bus; written while greeting
  const wire::Name* interned = nullptr;
  wire::Extra* sent_by = nullptr;  ///< of its messages that have no other extra

  base::Flag flag;  ///< guards the following and the sending side of its connection
  std::uint64_t series;  ///< of all numbers given to it
  Peer* peer = nullptr;
  bool forgotten = false;
  std::map<std::string, std::shared_ptr<FarTopicSink>, std::less<>> topics{};
  std::map<std::uint32_t, std::shared_ptr<FarSubscription>> subscriptions{};
  std::uint64_t ordinal = 0;  ///< of the message that waited last, over all topics
  std::set<std::pair<std::uint64_t, FarTopicSink*>> waiting{};  ///< topics with waiting messages, the oldest first
  bool room_wanted = false;
  base::Parking room;         ///< where publishers wait

  // The receiving side; touched only by calls of its connection, which come one at a time.
  std::unordered_map<const wire::Name*, FarTopic> seen{};

  // Guarded by Links.
  Instant away_since = Instant::never();
  std::uint64_t links_so_far = 0;
  bool told_forgotten = false;  ///< away for too long; only the numbers it has given are kept
};

}  // namespace midplane::inline v0::link
