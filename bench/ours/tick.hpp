#pragma once
/// The payload of our side: a FlatBuffers table of 64 bytes that is written in place for every message.

#include <cstdint>
#include <midplane/midplane.hpp>

#include "payload_midplane.hpp"

namespace midplane {
namespace bench {

inline constexpr std::size_t tick_bytes = 64;

/// A sender's message of that number: numbers only, written where it leaves from without a builder.
inline TickT tick_of(std::uint64_t number, std::uint64_t sender = 0) noexcept {
  TickT tick;
  tick.sequence = number + 1;
  tick.price = static_cast<double>(number + 2);
  tick.size = number + 3;
  tick.venue = sender + 1;
  tick.traded_at = number + 5;
  return tick;
}
inline std::uint64_t sender_of(const Message<Tick>& message) noexcept { return message->venue() - 1; }

/// The reader of one sender's messages: counts what did not arrive whole and in its turn.
class TickCheck {
 public:
  void operator()(const Message<Tick>& message) noexcept {
    const std::uint64_t number = message->sequence() - 1;
    lost_ +=
        number != next_ || message->traded_at() != number + 5 || message.bytes().size() != tick_bytes ? 1 : 0;
    next_ = number + 1;
    ++seen_;
  }
  [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::uint64_t next_ = 0, seen_ = 0, lost_ = 0;
};

}  // namespace bench
}  // namespace midplane
