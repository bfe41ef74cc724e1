#pragma once
/// Reads a FlatBuffer that nobody has verified yet: every answer lies inside the bytes and is aligned in them.

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "schema/schema_limits.hpp"

namespace midplane::inline v0::schema {

template <class T>
[[nodiscard]] T read(std::span<const std::byte> bytes, std::size_t at) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// A table whose vtable has been checked.
struct TableAt {
  std::size_t at;
  std::size_t vtable;
  std::uint16_t vtable_bytes;

  /// Where the field of this vtable offset lies; 0: absent.
  [[nodiscard]] std::size_t field(std::span<const std::byte> bytes, std::uint16_t voffset) const noexcept {
    if (voffset + 2u > vtable_bytes) return 0;
    const auto inside = read<std::uint16_t>(bytes, vtable + voffset);
    return inside == 0 ? 0 : at + inside;
  }
};

/// A vector whose elements lie inside the bytes.
struct VectorAt {
  std::size_t first;
  std::size_t count;
};

class Bounds {
 public:
  Bounds(std::span<const std::byte> bytes, std::size_t steps) noexcept : bytes_{bytes}, steps_{steps} {}

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// False when the work has become more than the bytes can be worth.
  [[nodiscard]] bool spend(std::size_t steps) noexcept {
    if (steps > steps_) return false;
    steps_ -= steps;
    return true;
  }
  [[nodiscard]] bool holds(std::size_t at, std::size_t size, std::size_t alignment) const noexcept {
    return at % alignment == 0 && size <= bytes_.size() && at <= bytes_.size() - size;
  }
  /// The target of the forward offset that stands at `at`.
  [[nodiscard]] std::optional<std::size_t> follow(std::size_t at) const noexcept {
    if (!holds(at, 4, 4)) return std::nullopt;
    const auto offset = read<std::uint32_t>(bytes_, at);
    if (offset == 0 || offset > INT32_MAX || offset >= bytes_.size() - at) return std::nullopt;
    return at + offset;
  }
  [[nodiscard]] std::optional<TableAt> table(std::size_t at) noexcept {
    if (!spend(1) || !holds(at, 4, 4)) return std::nullopt;
    const auto vtable = static_cast<std::int64_t>(at) - read<std::int32_t>(bytes_, at);
    if (vtable < 0 || !holds(static_cast<std::size_t>(vtable), 4, 2)) return std::nullopt;
    const TableAt found{at, static_cast<std::size_t>(vtable), read<std::uint16_t>(bytes_, static_cast<std::size_t>(vtable))};
    // Of an odd one FlatBuffers reads an entry of which only the first byte is inside; here it would be absent.
    if (found.vtable_bytes < 4 || found.vtable_bytes % 2 != 0 || !holds(found.vtable, found.vtable_bytes, 2)) return std::nullopt;
    return found;
  }
  [[nodiscard]] std::optional<VectorAt> vector(std::size_t at, std::size_t element_size, std::size_t alignment) const noexcept {
    if (!holds(at, 4, 4)) return std::nullopt;
    const std::size_t count = read<std::uint32_t>(bytes_, at);
    if (element_size == 0 || count > bytes_.size() / element_size) return std::nullopt;
    // The place of the first element of an empty vector may be misaligned; nobody reads it.
    if (!holds(at + 4, count * element_size, count == 0 ? 1 : alignment)) return std::nullopt;
    return VectorAt{at + 4, count};
  }
  [[nodiscard]] bool string(std::size_t at) const noexcept {
    const auto found = vector(at, 1, 1);
    return found && holds(found->first + found->count, 1, 1) && bytes_[found->first + found->count] == std::byte{0};
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t steps_;
};

}  // namespace midplane::inline v0::schema
