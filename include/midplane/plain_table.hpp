#pragma once
/// Tables that hold numbers only: `midplane-gen` knows where each goes, so they are written without a builder.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Specialised by the output of `midplane-gen` for a table all of whose fields are scalars or enums:
///
///     template <> struct PlainTable<market::Tick> {
///       static constexpr std::size_t bytes = 64;                             // of the whole FlatBuffer
///       static void write(const market::TickT& value, std::uint8_t* to);     // to: aligned to 8, that much room
///     };
///
/// What it writes is a FlatBuffer as any other, in which every field is present.
template <class T>
struct PlainTable;

template <class T>
concept HasPlainTable = requires { PlainTable<T>::bytes; };

namespace detail {
/// A number as it lies in a FlatBuffer. `Bytes`: what its type takes there.
template <std::size_t Bytes, class Number>
void put_number(std::uint8_t* to, const Number& number) noexcept {
  static_assert(std::endian::native == std::endian::little, "FlatBuffers are little-endian");
  static_assert(sizeof number == Bytes, "the object API and the schema differ: generate both again");
  std::memcpy(to, &number, Bytes);
}
}  // namespace detail

}  // namespace v0
}  // namespace midplane
