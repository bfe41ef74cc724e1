#pragma once
/// Limits and times of the links of one bus, and what they count.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <midplane/extend/executor.hpp>
#include <midplane/time.hpp>

#include "wire/frame.hpp"

namespace midplane::inline v0::link {

inline constexpr std::size_t names_per_link_max = 65'536;
inline constexpr std::size_t subscriptions_per_peer_max = 16'384;
inline constexpr std::size_t connections_max = 1024;
/// Peers that are away and remembered; beyond it the one that left first is forgotten.
inline constexpr std::size_t away_max = 1024;
/// Far names counted one by one. Beyond it those of peers that are not remembered any more are counted as one, so that
/// peers that come and go under new names do not fill memory.
inline constexpr std::size_t far_totals_max = 4096;
/// Heartbeats without any frame after which a peer is lost, and which a greeting may take.
inline constexpr int heartbeats_to_loss = 3;
/// The first pause between two dials.
inline constexpr Duration redial_min = std::chrono::milliseconds{50};
/// A refusal is on its way this long before the connection is ended by the side that refuses.
inline constexpr Duration refusal_linger = std::chrono::milliseconds{500};
/// A peer must take frames of this size: the largest Meta with the headers, and a little payload.
inline constexpr std::size_t frame_bytes_least = wire::frame_overhead_max + 256;
/// Control that waits for one peer: replies to 1024 requests of a peer that does not read must end somewhere.
inline constexpr std::size_t control_bytes_max = std::size_t{64} << 20;

struct LinkOptions {
  std::string bus;
  wire::Incarnation incarnation{};
  std::size_t message_bytes_max = std::size_t{16} << 20;
  std::uint64_t window_bytes = std::uint64_t{4} << 20;    ///< that a peer may have sent us beyond our last grant
  std::uint32_t window_records = 65'536;
  std::size_t requests_max = 1024;                        ///< unanswered, per peer and direction
  Duration heartbeat = std::chrono::seconds{1};
  Duration away_keep = std::chrono::seconds{60};          ///< for which numbers run on for a peer that is away
  Duration redial_min = link::redial_min;
  Duration redial_max = std::chrono::seconds{5};
  Wait wait = Wait::sleep;                                ///< of the transports' threads
  std::uint16_t version_min = wire::wire_version_min;
  std::uint16_t version_max = wire::wire_version;

  [[nodiscard]] std::size_t frame_bytes_max() const noexcept { return message_bytes_max + wire::frame_overhead_max; }
};

/// What arrived and was not as it should be. Counted, and harmless.
struct LinkCounters {
  std::atomic<std::uint64_t> frames{0};
  std::array<std::atomic<std::uint64_t>, wire::frame_faults> frame_faults{};
  std::atomic<std::uint64_t> foreign_frames{0};    ///< of another epoch or incarnation
  std::atomic<std::uint64_t> repeated_frames{0};   ///< that were there before
  std::atomic<std::uint64_t> unknown_records{0};   ///< of a type that is not known here
  std::atomic<std::uint64_t> malformed_bodies{0};  ///< not the table that their type says
  std::atomic<std::uint64_t> unknown_names{0};     ///< name ids that were never given
  std::atomic<std::uint64_t> stale_numbers{0};     ///< a number that was there before
  std::atomic<std::uint64_t> stale_replies{0};     ///< nobody waits for them any more
  std::atomic<std::uint64_t> no_memory{0};         ///< arrivals without room in the payload memory
  std::atomic<std::uint64_t> gaps{0};              ///< numbers that never arrived
  std::atomic<std::uint64_t> unknown_gaps{0};      ///< times that an unknown number of messages never arrived
  std::atomic<std::uint64_t> stale_grants{0};      ///< of a name that is not known
  std::atomic<std::uint64_t> refused{0};           ///< greetings refused, by either side
  std::atomic<std::uint64_t> lost{0};              ///< links that were up and ended
};

}  // namespace midplane::inline v0::link
