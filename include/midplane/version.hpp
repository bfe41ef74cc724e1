#pragma once
/// The version of these headers; `Bus::open` refuses a library of another one. Before 1.0 every minor version is its
/// own ABI.

#include <cstdint>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Of a release that breaks source or binary compatibility.
inline constexpr std::uint32_t version_major = 0;
/// Before 1.0 as the major one.
inline constexpr std::uint32_t version_minor = 1;
/// Compatible both ways.
inline constexpr std::uint32_t version_patch = 0;
/// What `Bus::open` compares with the library's own.
inline constexpr std::uint32_t header_version = (version_major << 16) | version_minor;

/// The version of the library that is linked.
[[nodiscard]] std::uint32_t library_version() noexcept;

}  // namespace v0
}  // namespace midplane
