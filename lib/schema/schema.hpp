#pragma once
/// A binary schema (.bfbs), verified with tight limits before anybody looks into it.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <flatbuffers/reflection_generated.h>

#include <midplane/result.hpp>

#include "schema/schema_limits.hpp"

namespace midplane::inline v0::schema {

using FieldsView = std::span<const reflection::Field* const>;

/// Owns a copy of the bytes; cheap to copy. Whatever it hands out lives as long as one of the copies.
class Schema {
 public:
  /// `invalid_schema` when the bytes are no schema, are over a limit, or refer to what they do not contain.
  [[nodiscard]] static Result<Schema> load(std::span<const std::byte> bfbs);
  [[nodiscard]] const reflection::Schema& root() const noexcept;
  /// Null when there is no such table or struct.
  [[nodiscard]] const reflection::Object* find(std::string_view type) const noexcept;
  [[nodiscard]] const reflection::Enum* find_enum(std::string_view name) const noexcept;
  /// Of a type of this schema; a table's in the order of their ids (the position is the id), a struct's in memory order.
  [[nodiscard]] FieldsView fields(const reflection::Object& type) const noexcept;
  /// What an Obj type refers to; only for types that do.
  [[nodiscard]] const reflection::Object& object_of(const reflection::Type& type) const noexcept;
  /// The enum or union of a scalar, union or vector type; null for plain scalars.
  [[nodiscard]] const reflection::Enum* enum_of(const reflection::Type& type) const noexcept;

 private:
  struct Content;
  explicit Schema(std::shared_ptr<const Content> content) noexcept : content_{std::move(content)} {}
  std::shared_ptr<const Content> content_;
};

/// The value's entry; null when the enum does not name it.
[[nodiscard]] const reflection::EnumVal* value_of(const reflection::Enum& type, std::int64_t value) noexcept;

/// The element type of a vector or array, otherwise the type itself.
[[nodiscard]] inline reflection::BaseType element_of(const reflection::Type& type) noexcept {
  const bool many = type.base_type() == reflection::Vector || type.base_type() == reflection::Array;
  return many ? type.element() : type.base_type();
}
[[nodiscard]] inline bool is_scalar(reflection::BaseType type) noexcept {
  return type >= reflection::UType && type <= reflection::Double;
}
[[nodiscard]] inline bool is_floating(reflection::BaseType type) noexcept {
  return type == reflection::Float || type == reflection::Double;
}
/// Bytes of a scalar; 4 (an offset) for the rest.
[[nodiscard]] std::size_t size_of(reflection::BaseType type) noexcept;

[[nodiscard]] inline std::string_view text_of(const flatbuffers::String* text) noexcept {
  return text ? std::string_view{text->c_str(), text->size()} : std::string_view{};
}

}  // namespace midplane::inline v0::schema
