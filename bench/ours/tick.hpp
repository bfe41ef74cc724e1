#pragma once
/// The payload of our side: a FlatBuffers table of 64 bytes that is built in place for every message.

#include <cstdint>
#include <midplane/midplane.hpp>

#include "payload_generated.h"

namespace midplane {

/// By hand, so that a change of the generator can not move a figure. Inside one process only the fingerprint
/// counts.
template <>
struct SchemaOf<bench::Tick> {
  static const TypeInfo& info() noexcept {
    static constexpr TypeInfo tick{
        .name = "midplane.bench.Tick", .fingerprint = 0x7469636b5f763031, .bfbs = {}};
    return tick;
  }
};

namespace bench {

inline constexpr std::size_t tick_bytes = 64;

/// Builds a sender's message of that number. No field has its default value, so every message has the full
/// size.
inline auto tick_of(std::uint64_t number, std::uint64_t sender = 0) noexcept {
  return [number, sender](flatbuffers::FlatBufferBuilder& builder) {
    return CreateTick(builder, number + 1, static_cast<double>(number + 2), number + 3, sender + 1,
                      number + 5);
  };
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
