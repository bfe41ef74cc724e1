#pragma once
/// 64 bits over the canonical form of a type and all it reaches: equal fingerprints are equal types.

#include <cstdint>
#include <string>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

/// The canonical form as text: what the fingerprint is taken over, for tests and for people.
[[nodiscard]] std::string canonical_form(const Schema& schema, const reflection::Object& type);
/// Never 0, which stands for raw bytes.
[[nodiscard]] std::uint64_t fingerprint(const Schema& schema, const reflection::Object& type);

}  // namespace midplane::inline v0::schema
