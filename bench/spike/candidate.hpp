#pragma once
/// What main knows of a candidate: its name and how to ask it.

#include <cstdint>

namespace midplane::bench {

/// Messages that may wait in one lane: the default bound of a subscription.
inline constexpr std::uint64_t lane_messages = 1024;

/// A receiver looks again at once, or comes by every 2 µs and finds more.
enum class Poll : std::uint8_t { eager, calm };

struct Ask {
  std::uint64_t messages = 0;  ///< per sender
  unsigned senders = 1;
  unsigned readers = 1;
  unsigned burst = 1;  ///< published with one change of the index
  Poll poll = Poll::eager;
  bool to_link = false;  ///< copied into frames instead of looked at
};

struct Candidate {
  const char* name;
  double (*deliver)(const char* name, const Ask& ask);
};

[[nodiscard]] Candidate pointers_through_boost();
[[nodiscard]] Candidate pointers_through_own_ring();
[[nodiscard]] Candidate values_through_boost();
[[nodiscard]] Candidate bytes_in_band();
[[nodiscard]] Candidate log_with_cursors();
[[nodiscard]] Candidate pointers_through_mpmc();

}  // namespace midplane::bench
