#pragma once
/// 64 bits over the canonical form of a type and all it reaches: equal fingerprints are equal types.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

/// The canonical form as text: what the fingerprint is taken over, for tests and for people. Types by name, fields by
/// id, values by number; no comments, files or attributes. Names are part of it: a renamed field gives another
/// fingerprint, and the rules of evolution then permit it.
[[nodiscard]] std::string canonical_form(const Schema& schema, const reflection::Object& type);
/// XXH3-64; never 0, which stands for raw bytes.
[[nodiscard]] std::uint64_t fingerprint(const Schema& schema, const reflection::Object& type);
/// The same for a schema from outside; nullopt when the canonical form is longer than `text_bytes_max`.
[[nodiscard]] std::optional<std::uint64_t> fingerprint(const Schema& schema, const reflection::Object& type,
                                                       std::size_t text_bytes_max);
/// Over everything the schema declares.
[[nodiscard]] std::uint64_t fingerprint(const Schema& schema);

}  // namespace midplane::inline v0::schema
