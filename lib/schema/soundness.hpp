#pragma once
/// A buffer of the right shape may still talk nonsense: indices out of range, layouts that overlap, structs in a circle.

#include <flatbuffers/reflection_generated.h>

#include <unordered_map>
#include <vector>

namespace midplane::inline v0::schema {

using FieldsOf = std::unordered_map<const reflection::Object*, std::vector<const reflection::Field*>>;

/// Null when everything the schema says holds together, otherwise what does not. Fills `fields` for every type: a
/// table's by id, a struct's by place.
[[nodiscard]] const char* unsoundness(const reflection::Schema& schema, FieldsOf& fields);

}  // namespace midplane::inline v0::schema
