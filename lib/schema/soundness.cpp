#include "schema/soundness.hpp"

#include <algorithm>
#include <bit>
#include <string_view>
#include <vector>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {
namespace {

using reflection::BaseType;

/// Letters, digits and `_`, with `.` between the namespaces of a type; so names are safe in JSON, C++ and texts.
bool is_identifier(std::string_view name, bool dots) noexcept {
  if (name.empty() || name.size() > identifier_bytes_max) return false;
  char before = '.';
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (c == '.' ? !dots || before == '.' : !letter && !(digit && before != '.')) return false;
    before = c;
  }
  return before != '.';
}

class Check {
 public:
  Check(const reflection::Schema& schema, FieldsOf& fields) : schema_{schema}, fields_{fields} {}

  const char* run() {
    if (!are_sorted(*schema_.objects()) || !are_sorted(*schema_.enums()))
      return "types are not sorted by name, or one stands there twice";
    for (const auto* type : *schema_.enums()) {
      if (const char* fault = check_enum(*type)) return fault;
    }
    for (const auto* type : *schema_.objects()) {
      if (const char* fault = check_object(*type)) return fault;
    }
    for (const auto* type : *schema_.objects()) {
      if (type->is_struct() && depth_of(*type, 0) > struct_depth_max) return "a struct contains itself, or nests too deep";
    }
    return check_services();
  }

 private:
  template <class Types>
  static bool are_sorted(const Types& types) noexcept {
    std::string_view before;
    for (const auto* type : types) {
      const std::string_view name = text_of(type->name());
      if (!is_identifier(name, true) || name <= before) return false;
      before = name;
    }
    return true;
  }
  const reflection::Object* object(std::int32_t index) const noexcept {
    const bool known = index >= 0 && static_cast<std::uint32_t>(index) < schema_.objects()->size();
    return known ? schema_.objects()->Get(static_cast<std::uint32_t>(index)) : nullptr;
  }
  const reflection::Enum* enumeration(std::int32_t index) const noexcept {
    const bool known = index >= 0 && static_cast<std::uint32_t>(index) < schema_.enums()->size();
    return known ? schema_.enums()->Get(static_cast<std::uint32_t>(index)) : nullptr;
  }

  const char* check_enum(const reflection::Enum& type) const {
    const BaseType base = type.underlying_type()->base_type();
    if (!is_scalar(base) || is_floating(base)) return "an enum's underlying type is no integer";
    if (type.is_union() != (base == reflection::UType)) return "a union's underlying type is not its own";
    const reflection::EnumVal* before = nullptr;
    std::vector<std::string_view> names;
    for (const auto* value : *type.values()) {
      names.push_back(text_of(value->name()));
      if (!is_identifier(names.back(), false)) return "an enum value has no valid name";
      const bool rising = !before || (base == reflection::ULong
                                          ? static_cast<std::uint64_t>(before->value()) < static_cast<std::uint64_t>(value->value())
                                          : before->value() < value->value());
      if (!rising) return "an enum's values are not sorted, or one stands there twice";
      before = value;
      if (type.is_union() && !is_member(*value)) return "a union member is no table, struct or string";
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) return "two values of an enum have one name";
    return nullptr;
  }
  bool is_member(const reflection::EnumVal& value) const noexcept {
    if (value.value() < 0 || value.value() > UINT8_MAX) return false;
    const auto* type = value.union_type();
    if (value.value() == 0) return !type || type->base_type() == reflection::None;
    if (!type) return false;
    return type->base_type() == reflection::String || (type->base_type() == reflection::Obj && object(type->index()));
  }

  bool is_single(BaseType base, std::int32_t index, bool in_struct) const noexcept {
    if (is_scalar(base)) {
      const auto* type = enumeration(index);
      if (index == -1) return base != reflection::UType;
      return type && type->underlying_type()->base_type() == base && !(in_struct && type->is_union());
    }
    switch (base) {
      case reflection::String: return !in_struct;
      case reflection::Obj: return object(index) && (!in_struct || object(index)->is_struct());
      case reflection::Union: return !in_struct && enumeration(index) && enumeration(index)->is_union();
      default: return false;
    }
  }
  bool is_type(const reflection::Type& type, bool in_struct) const noexcept {
    if (type.base_type() == reflection::Vector) return !in_struct && is_single(type.element(), type.index(), false);
    if (type.base_type() == reflection::Array)
      return in_struct && type.fixed_length() > 0 && is_single(type.element(), type.index(), true);
    return is_single(type.base_type(), type.index(), in_struct);
  }

  const char* check_object(const reflection::Object& type) {
    auto& fields = fields_[&type];
    fields.assign(type.fields()->begin(), type.fields()->end());
    std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) { return a->id() < b->id(); });
    std::string_view before;
    for (const auto* field : *type.fields()) {
      const std::string_view name = text_of(field->name());
      if (!is_identifier(name, false) || name <= before) return "a type's fields are not sorted by name, or one is there twice";
      before = name;
      if (!is_type(*field->type(), type.is_struct())) return "a field has a type that the schema does not contain";
    }
    for (std::size_t id = 0; id < fields.size(); ++id) {
      if (fields[id]->id() != id) return "a type's field ids have a gap, or one is there twice";
    }
    return type.is_struct() ? check_layout(type, fields) : check_table(fields);
  }
  static const char* check_table(const std::vector<const reflection::Field*>& fields) noexcept {
    for (const auto* field : fields) {
      if (field->offset() != 4u + 2u * field->id()) return "a field's offset does not follow from its id";
      const reflection::Type& type = *field->type();
      if (element_of(type) != reflection::Union) continue;
      // A union's value can not be read without the field in front of it, which says what it is.
      const auto* tag = field->id() == 0 ? nullptr : fields[field->id() - 1u]->type();
      if (!tag || element_of(*tag) != reflection::UType || tag->index() != type.index() ||
          (tag->base_type() == reflection::Vector) != (type.base_type() == reflection::Vector))
        return "a union field has no type field in front of it";
    }
    return nullptr;
  }
  const char* check_layout(const reflection::Object& type, const std::vector<const reflection::Field*>& fields) const noexcept {
    const auto alignment = static_cast<std::uint32_t>(type.minalign());
    if (type.bytesize() <= 0 || !std::has_single_bit(alignment) || alignment > alignment_max ||
        static_cast<std::uint32_t>(type.bytesize()) % alignment != 0)
      return "a struct has no valid size or alignment";
    std::size_t end = 0;
    for (const auto* field : fields) {
      const BaseType base = element_of(*field->type());
      const auto* inner = base == reflection::Obj ? object(field->type()->index()) : nullptr;
      const auto one = inner ? static_cast<std::size_t>(std::max(inner->bytesize(), 0)) : size_of(base);
      const auto aligned = inner ? static_cast<std::size_t>(std::max(inner->minalign(), 1)) : one;
      const std::size_t count = field->type()->base_type() == reflection::Array ? field->type()->fixed_length() : 1;
      if (field->offset() < end || field->offset() % aligned != 0 || aligned > alignment)
        return "a struct's fields overlap or are misaligned";
      end = field->offset() + one * count;
    }
    return end > static_cast<std::size_t>(type.bytesize()) ? "a struct is smaller than its fields" : nullptr;
  }

  std::size_t depth_of(const reflection::Object& type, std::size_t above) {
    if (above > struct_depth_max) return above;
    if (const auto known = depths_.find(&type); known != depths_.end()) return above + known->second;
    std::size_t depth = 1;
    for (const auto* field : fields_[&type]) {
      if (element_of(*field->type()) == reflection::Obj)
        depth = std::max(depth, depth_of(*object(field->type()->index()), above + 1) - above);
    }
    depths_[&type] = depth;
    return above + depth;
  }

  const char* check_services() const noexcept {
    if (!schema_.services()) return nullptr;
    for (const auto* service : *schema_.services()) {
      if (!is_identifier(text_of(service->name()), true)) return "a service has no valid name";
      if (!service->calls()) continue;
      for (const auto* call : *service->calls()) {
        if (!is_identifier(text_of(call->name()), false)) return "a method has no valid name";
        if (!is_identifier(text_of(call->request()->name()), true) || !is_identifier(text_of(call->response()->name()), true))
          return "a method's type has no valid name";
      }
    }
    return nullptr;
  }

  const reflection::Schema& schema_;
  FieldsOf& fields_;
  std::unordered_map<const reflection::Object*, std::size_t> depths_;
};

}  // namespace

const char* unsoundness(const reflection::Schema& schema, FieldsOf& fields) { return Check{schema, fields}.run(); }

}  // namespace midplane::inline v0::schema
