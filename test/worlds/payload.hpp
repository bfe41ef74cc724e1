#pragma once
/// What travels: who published it, as which publish, and a hash over every byte, so that a handler can tell.

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <midplane/extend/codec.hpp>

namespace midplane::worlds {

struct Stamp {
  std::uint64_t hash = 0;       ///< over all that follows, padding included
  std::uint64_t publisher = 0;  ///< unique in the world
  std::uint64_t counter = 0;    ///< of that publisher; of a request: its nonce
  std::uint64_t index = 0;      ///< among the publishes of this life on this topic; of a stream: the item
  std::int64_t at = 0;          ///< when it was published
  std::int64_t until = 0;       ///< its time to live or deadline; 0: none
  std::uint32_t life = 0;       ///< the incarnation of a host that published it
  std::uint32_t topic = 0;
};

inline std::vector<std::byte> write(Stamp stamp, std::size_t padding = 0) {
  std::vector<std::byte> bytes(sizeof stamp + padding, static_cast<std::byte>(stamp.counter * 31 + 7));
  std::memcpy(bytes.data(), &stamp, sizeof stamp);
  stamp.hash = XXH3_64bits(bytes.data() + sizeof stamp.hash, bytes.size() - sizeof stamp.hash);
  std::memcpy(bytes.data(), &stamp.hash, sizeof stamp.hash);
  return bytes;
}

/// Empty when a byte is not as it was written.
inline std::optional<Stamp> read(std::span<const std::byte> bytes) {
  Stamp stamp;
  if (bytes.size() < sizeof stamp) return std::nullopt;
  std::memcpy(&stamp, bytes.data(), sizeof stamp);
  if (stamp.hash != XXH3_64bits(bytes.data() + sizeof stamp.hash, bytes.size() - sizeof stamp.hash)) return std::nullopt;
  return stamp;
}

struct Tick {};

}  // namespace midplane::worlds

namespace midplane {
template <>
struct Codec<worlds::Tick> {
  using View = const std::byte*;
  static const TypeInfo& info() noexcept {
    static constexpr TypeInfo type{"worlds.Tick", 1, {}};
    return type;
  }
  static bool verify(std::span<const std::byte> bytes) noexcept { return bytes.size() >= sizeof(worlds::Stamp); }
  static View view(std::span<const std::byte> bytes) noexcept { return bytes.data(); }
};
}  // namespace midplane
