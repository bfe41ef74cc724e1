#pragma once
/// Are these bytes a value of the type, by the schema alone?

#include <span>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

/// As strict as the generated verifier, bounded in depth and work. What newer writers added is passed over, as are
/// deprecated fields and union members that the schema does not know. True: reading by the schema stays inside.
[[nodiscard]] bool is_value(std::span<const std::byte> payload, const Schema& schema, const reflection::Object& table) noexcept;

}  // namespace midplane::inline v0::schema
