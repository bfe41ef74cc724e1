#pragma once
/// The payloads of the rows between processes: written in place for every message, checked by the reader.
/// `bytes` is the exact size as sent.

#include <cstdint>

#include "ours/tick.hpp"

namespace midplane {

namespace bench {

struct TickPayload {
  using Table = Tick;
  static constexpr std::size_t bytes = tick_bytes;
  static auto of(std::uint64_t number) noexcept { return tick_of(number); }
  static std::uint64_t number_of(const Message<Tick>& message) noexcept { return message->sequence() - 1; }
  static bool is_whole(const Message<Tick>& message) noexcept {
    return message->traded_at() == number_of(message) + 5;
  }
};

struct SmallPayload {
  using Table = Small;
  static constexpr std::size_t bytes = 20;
  static SmallT of(std::uint64_t number) noexcept {
    SmallT small;
    small.number = static_cast<std::uint32_t>(number) + 1;
    return small;
  }
  static std::uint64_t number_of(const Message<Small>& message) noexcept { return message->number() - 1; }
  static bool is_whole(const Message<Small>&) noexcept { return true; }
};

/// A Block of that many bytes.
template <std::size_t Bytes>
struct BlockPayload {
  using Table = Block;
  static constexpr std::size_t bytes = Bytes;
  // The root, the vtable, the table and the vector's length take 40.
  static constexpr std::size_t words = (Bytes - 40) / sizeof(std::uint64_t);
  static auto of(std::uint64_t number) noexcept {
    return [number](flatbuffers::FlatBufferBuilder& builder) {
      std::uint64_t* first = nullptr;
      const auto block = builder.CreateUninitializedVector<std::uint64_t>(words, &first);
      for (std::size_t at = 0; at < words; ++at) flatbuffers::WriteScalar(first + at, number + at);
      return CreateBlock(builder, number + 1, block);
    };
  }
  static std::uint64_t number_of(const Message<Block>& message) noexcept { return message->number() - 1; }
  static bool is_whole(const Message<Block>& message) noexcept {
    return message->words() && message->words()->size() == words &&
           message->words()->Get(words - 1) == number_of(message) + words - 1;
  }
};

}  // namespace bench
}  // namespace midplane
