#pragma once
/// Small words about base types, for whoever walks a payload.

#include <cstdint>
#include <string_view>

#include <flatbuffers/reflection_generated.h>

namespace midplane::inline v0::schema {

/// Bytes of a scalar; 0 for everything else.
[[nodiscard]] constexpr std::uint32_t scalar_bytes(reflection::BaseType type) noexcept {
  switch (type) {
    case reflection::UType:
    case reflection::Bool:
    case reflection::Byte:
    case reflection::UByte: return 1;
    case reflection::Short:
    case reflection::UShort: return 2;
    case reflection::Int:
    case reflection::UInt:
    case reflection::Float: return 4;
    case reflection::Long:
    case reflection::ULong:
    case reflection::Double: return 8;
    default: return 0;
  }
}

[[nodiscard]] inline std::string_view view_of(const flatbuffers::String* text) noexcept {
  return text ? std::string_view{text->c_str(), text->size()} : std::string_view{};
}

}  // namespace midplane::inline v0::schema
