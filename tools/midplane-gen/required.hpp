#pragma once
/// What an object-API value has to hold before FlatBuffers may pack it.

#include <string>

#include "schema/schema.hpp"

namespace midplane::gen {

/// A pointer of the object API that stands for a table, struct or union, in it or in a table it holds, may be null where
/// FlatBuffers does not allow it. Not so of types that an attribute makes the user's own.
[[nodiscard]] bool has_required_parts(const schema::Schema& schema, const reflection::Object& table);

/// The specialisation of midplane::RequiredParts, and its body; both empty for a table without.
[[nodiscard]] std::string required_declaration(const schema::Schema& schema, const reflection::Object& table);
[[nodiscard]] std::string required_definition(const schema::Schema& schema, const reflection::Object& table);

}  // namespace midplane::gen
