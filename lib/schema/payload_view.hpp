#pragma once
/// Reading a payload by position: every read copies, so bytes may stand at any address. Nothing here checks;
/// payload.hpp does, once, for everything a walk by the same schema reads.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <flatbuffers/reflection.h>

namespace midplane::inline v0::schema {

static_assert(FLATBUFFERS_LITTLEENDIAN, "numbers are read as they stand in the payload");

class PayloadView {
 public:
  explicit PayloadView(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> part(std::size_t at, std::size_t count) const noexcept {
    return bytes_.subspan(at, count);
  }
  template <class T>
  [[nodiscard]] T read(std::size_t at) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  /// Where the offset at `at` points to.
  [[nodiscard]] std::size_t follow(std::size_t at) const noexcept { return at + read<std::uint32_t>(at); }
  /// Where the field of the table at `table` stands; 0 when it is absent.
  [[nodiscard]] std::size_t field(std::size_t table, const reflection::Field& field) const noexcept {
    return slot(table, field.offset());
  }
  /// Where it stands which member the union field holds: the slot right before it (soundness.hpp sees to that); 0 when it is absent.
  [[nodiscard]] std::size_t discriminator(std::size_t table, const reflection::Field& union_field) const noexcept {
    return slot(table, union_field.offset() - sizeof(std::uint16_t));
  }

 private:
  [[nodiscard]] std::size_t slot(std::size_t table, std::size_t in_vtable) const noexcept {
    const auto vtable = table - static_cast<std::size_t>(std::int64_t{read<std::int32_t>(table)});
    if (in_vtable + sizeof(std::uint16_t) > read<std::uint16_t>(vtable)) return 0;
    const auto offset = read<std::uint16_t>(vtable + in_vtable);
    return offset == 0 ? 0 : table + offset;
  }

  std::span<const std::byte> bytes_;
};

/// The member a union value holds; null for NONE and for one that a newer schema added.
[[nodiscard]] inline const reflection::EnumVal* member_of(const reflection::Enum& type, std::uint8_t which) noexcept {
  for (const auto* value : *type.values())
    if (value->value() == which)
      return !value->union_type() || value->union_type()->base_type() == reflection::None ? nullptr : value;
  return nullptr;
}

}  // namespace midplane::inline v0::schema
