#pragma once
/// What may be spent on bytes from outside before they are called invalid.

#include <cstddef>

namespace midplane::inline v0::schema {

inline constexpr std::size_t schema_bytes_max = std::size_t{4} << 20;
/// Of a peer. A field takes about 100 bytes, so this is ten thousand of them; with it the dearest forgery
/// known is refused within 0.2 s on a small machine (test/schema/verdicts_test.cpp builds it).
inline constexpr std::size_t far_schema_bytes_max = std::size_t{1} << 20;
/// One identifier; a type's name with its namespaces.
inline constexpr std::size_t identifier_bytes_max = 1024;
/// Tables inside tables in a payload, as the FlatBuffers verifier has it; the walkers recurse that deep.
inline constexpr std::size_t table_depth_max = 64;
/// Structs inside structs.
inline constexpr std::size_t struct_depth_max = 32;
/// FlatBuffers' own bound for `force_align`.
inline constexpr std::size_t alignment_max = 32;

/// Steps (tables, fields, elements that are offsets) a verification may take. Tables may share what they point to, so
/// the bytes alone do not bound the work. A real schema needs less than one step for each of its bytes.
constexpr std::size_t schema_steps_max(std::size_t bytes) noexcept { return (std::size_t{1} << 20) + 4 * bytes; }
/// Canonical form of a peer's type. Honest lines are no longer than the tables they are made from; forged ones repeat one
/// name of 1024 bytes for 20 bytes each.
constexpr std::size_t canonical_bytes_max(std::size_t bytes) noexcept { return (std::size_t{1} << 16) + 8 * bytes; }
/// A small table of a type with many fields may take a step for each of them.
constexpr std::size_t payload_steps_max(std::size_t bytes) noexcept { return (std::size_t{1} << 24) + 16 * bytes; }

}  // namespace midplane::inline v0::schema
