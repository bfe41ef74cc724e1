#pragma once
/// What a payload type says of itself. `midplane-gen` writes a SchemaOf<T> for every table of a schema.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Name, fingerprint and binary schema of one payload type; lives as long as the program.
struct TypeInfo {
  std::string_view name;                    ///< fully qualified, `market.Tick`; empty: raw bytes
  std::uint64_t fingerprint = 0;            ///< over the canonical form of the type and all it reaches; 0: raw bytes
  std::span<const std::byte> bfbs;          ///< the binary schema it is defined in

  /// True for raw bytes, which have no schema.
  [[nodiscard]] constexpr bool is_bytes() const noexcept { return fingerprint == 0; }
};

/// Specialised by the output of `midplane-gen`:
///
///     template <> struct SchemaOf<market::Tick> { static const TypeInfo& info() noexcept; };
///
/// A type without it does not compile as a payload: run `midplane-gen` over its .bfbs and include its header.
template <class T>
struct SchemaOf;

template <class T>
concept HasSchema = requires {
  { SchemaOf<T>::info() } -> std::convertible_to<const TypeInfo&>;
};

}  // namespace v0
}  // namespace midplane
