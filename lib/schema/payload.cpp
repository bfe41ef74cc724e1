#include "schema/payload.hpp"

#include "schema/bounds.hpp"

namespace midplane::inline v0::schema {
namespace {

class Verification {
 public:
  Verification(Bounds bounds, const Schema& schema) noexcept : bounds_{bounds}, schema_{schema} {}

  bool is_table(std::size_t at, const reflection::Object& type, std::size_t depth) noexcept {
    if (depth > table_depth_max) return false;
    const auto table = bounds_.table(at);
    if (!table) return false;
    for (const auto* field : schema_.fields(type)) {
      if (!bounds_.spend(1)) return false;
      if (field->deprecated()) continue;
      const std::size_t place = table->field(bounds_.bytes(), field->offset());
      if (place == 0 ? field->required() : !is_field(*table, place, *field, depth)) return false;
    }
    return true;
  }

 private:
  bool is_field(const TableAt& table, std::size_t at, const reflection::Field& field,
                std::size_t depth) noexcept {
    const reflection::Type& type = *field.type();
    const reflection::BaseType base = type.base_type();
    if (is_scalar(base)) return bounds_.holds(at, size_of(base), size_of(base));
    if (base == reflection::Obj && schema_.object_of(type).is_struct()) return is_struct(at, schema_.object_of(type));
    const auto target = bounds_.follow(at);
    if (!target) return false;
    switch (base) {
      case reflection::String: return bounds_.string(*target);
      case reflection::Obj: return is_table(*target, schema_.object_of(type), depth + 1);
      case reflection::Union: return is_union(table, *target, field, depth);
      case reflection::Vector:
        return type.element() == reflection::Union ? is_union_vector(table, *target, field, depth)
                                                   : is_vector(*target, type, depth);
      default: return false;
    }
  }

  bool is_struct(std::size_t at, const reflection::Object& type) const noexcept {
    return bounds_.holds(at, static_cast<std::size_t>(type.bytesize()), static_cast<std::size_t>(type.minalign()));
  }

  bool is_vector(std::size_t at, const reflection::Type& type, std::size_t depth) noexcept {
    const reflection::BaseType element = type.element();
    if (is_scalar(element)) return bounds_.vector(at, size_of(element), size_of(element)).has_value();
    const auto* object = element == reflection::Obj ? &schema_.object_of(type) : nullptr;
    if (object && object->is_struct())
      return bounds_.vector(at, static_cast<std::size_t>(object->bytesize()), static_cast<std::size_t>(object->minalign())).has_value();
    const auto found = bounds_.vector(at, 4, 4);
    if (!found || !bounds_.spend(found->count)) return false;
    for (std::size_t i = 0; i < found->count; ++i) {
      const auto target = bounds_.follow(found->first + 4 * i);
      if (!target || !(object ? is_table(*target, *object, depth + 1) : bounds_.string(*target))) return false;
    }
    return true;
  }

  bool is_member(std::size_t target, const reflection::Enum& type, std::uint8_t tag, std::size_t depth) noexcept {
    const auto* member = value_of(type, tag);
    // Of a newer writer; the generated code passes it over as well.
    if (!member || !member->union_type()) return true;
    switch (member->union_type()->base_type()) {
      case reflection::String: return bounds_.string(target);
      case reflection::Obj: {
        const reflection::Object& object = schema_.object_of(*member->union_type());
        return object.is_struct() ? is_struct(target, object) : is_table(target, object, depth + 1);
      }
      default: return true;
    }
  }
  /// The field that says what the union is; the schema was checked to have it in front.
  std::size_t tag_of(const TableAt& table, const reflection::Field& field) const noexcept {
    return table.field(bounds_.bytes(), static_cast<std::uint16_t>(field.offset() - 2));
  }
  bool is_union(const TableAt& table, std::size_t target, const reflection::Field& field,
                std::size_t depth) noexcept {
    const std::size_t at = tag_of(table, field);
    if (at == 0) return true;
    if (!bounds_.holds(at, 1, 1)) return false;
    return is_member(target, *schema_.enum_of(*field.type()), read<std::uint8_t>(bounds_.bytes(), at), depth);
  }
  bool is_union_vector(const TableAt& table, std::size_t target, const reflection::Field& field,
                       std::size_t depth) noexcept {
    const std::size_t at = tag_of(table, field);
    const auto tags_at = at == 0 ? std::nullopt : bounds_.follow(at);
    const auto values = bounds_.vector(target, 4, 4);
    const auto tags = tags_at ? bounds_.vector(*tags_at, 1, 1) : std::nullopt;
    if (!values || !tags || tags->count != values->count || !bounds_.spend(values->count)) return false;
    for (std::size_t i = 0; i < values->count; ++i) {
      const auto tag = read<std::uint8_t>(bounds_.bytes(), tags->first + i);
      // NONE has nothing to point to: its offset may be zero.
      if (tag == 0) continue;
      const auto value = bounds_.follow(values->first + 4 * i);
      if (!value || !is_member(*value, *schema_.enum_of(*field.type()), tag, depth)) return false;
    }
    return true;
  }

  Bounds bounds_;
  const Schema& schema_;
};

}  // namespace

bool is_value(std::span<const std::byte> payload, const Schema& schema, const reflection::Object& table) noexcept {
  if (table.is_struct()) return false;
  Verification verification{Bounds{payload, payload_steps_max(payload.size())}, schema};
  const auto root = Bounds{payload, 0}.follow(0);
  return root && verification.is_table(*root, table, 1);
}

}  // namespace midplane::inline v0::schema
