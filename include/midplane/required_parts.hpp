#pragma once
/// Object-API values that lack a part without which there is no payload: FlatBuffers would end the process over one.

#include <concepts>
#include <string_view>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Specialised by the output of `midplane-gen` for a table that has, itself or in a table it holds, a required table,
/// struct or union, or a vector of tables or unions:
///
///     template <> struct RequiredParts<fleet::Car> {
///       static std::string_view unset(const fleet::CarT& value) noexcept;  // "fleet.Car.wheel", "fleet.Car.doors[]"; empty: none
///     };
///
/// A publish, request or reply with such a value answers `malformed` and names the field.
template <class T>
struct RequiredParts;

template <class T>
concept HasRequiredParts = requires(const typename T::NativeTableType& value) {
  { RequiredParts<T>::unset(value) } -> std::same_as<std::string_view>;
};

}  // namespace v0
}  // namespace midplane
