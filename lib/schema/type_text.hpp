#pragma once
/// Types and fields as people write them in a schema.

#include <string>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

[[nodiscard]] std::string_view scalar_text(reflection::BaseType type) noexcept;
/// `long`, `string`, `[market.Level]`, `[float:3]`, `market.Side`.
[[nodiscard]] std::string type_text(const Schema& schema, const reflection::Type& type);
/// A scalar's default as text: `0`, `1.5`, `nan`, `null`; empty for what has none.
[[nodiscard]] std::string default_text(const reflection::Field& field);
[[nodiscard]] std::string qualified(std::string_view type, const flatbuffers::String* member);

}  // namespace midplane::inline v0::schema
