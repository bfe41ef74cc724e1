#include "schema/changes.hpp"
#include "schema/type_text.hpp"

#include <unordered_map>

namespace midplane::inline v0::schema {
namespace {

using ValuesByName = std::unordered_map<std::string_view, const reflection::EnumVal*>;

ValuesByName by_name(const reflection::Enum& type) {
  ValuesByName values;
  for (const auto* value : *type.values()) values.emplace(text_of(value->name()), value);
  return values;
}

std::string number_text(const reflection::Enum& type, const reflection::EnumVal& value) {
  if (type.underlying_type()->base_type() == reflection::ULong) return std::to_string(static_cast<std::uint64_t>(value.value()));
  return std::to_string(value.value());
}

std::string member_text(const Schema& schema, const reflection::EnumVal& value) {
  const auto* type = value.union_type();
  const std::string of = type && type->base_type() != reflection::None ? " of " + type_text(schema, *type) : "";
  return std::to_string(value.value()) + of;
}

void compare_union(const Schema& before, const reflection::Enum& old_type, const Schema& after,
                   const reflection::Enum& new_type, Changes& changes) {
  const ValuesByName names = by_name(new_type);
  for (const auto* member : *old_type.values()) {
    const std::string path = qualified(text_of(old_type.name()), member->name());
    const auto* same_number = value_of(new_type, member->value());
    const auto same_name = names.find(text_of(member->name()));
    const std::string was = member_text(before, *member);
    if (same_name != names.end() && same_name->second->value() != member->value()) {
      changes.add(ChangeKind::changed_union_member, path, was, member_text(after, *same_name->second));
    } else if (!same_number) {
      changes.add(ChangeKind::deleted_union_member, path, was, "absent");
    } else if (const std::string is = member_text(after, *same_number); is != was) {
      changes.add(ChangeKind::changed_union_member, path, was, is);
    }
  }
}

void compare_values(const reflection::Enum& old_type, const reflection::Enum& new_type, Changes& changes) {
  const ValuesByName names = by_name(new_type);
  for (const auto* value : *old_type.values()) {
    const std::string path = qualified(text_of(old_type.name()), value->name());
    const auto same_name = names.find(text_of(value->name()));
    if (same_name != names.end()) {
      if (same_name->second->value() != value->value())
        changes.add(ChangeKind::changed_enum_value, path, number_text(old_type, *value), number_text(new_type, *same_name->second));
    } else if (!value_of(new_type, value->value())) {
      changes.add(ChangeKind::deleted_enum_value, path, number_text(old_type, *value), "absent");
    }
  }
}

}  // namespace

void compare_enums(const Schema& before, const reflection::Enum& old_type, const Schema& after,
                   const reflection::Enum& new_type, Changes& changes) {
  const std::string name{text_of(old_type.name())};
  if (old_type.is_union() != new_type.is_union()) {
    changes.add(ChangeKind::changed_kind, name, old_type.is_union() ? "union" : "enum", new_type.is_union() ? "union" : "enum");
    return;
  }
  if (old_type.is_union()) return compare_union(before, old_type, after, new_type, changes);
  if (old_type.underlying_type()->base_type() != new_type.underlying_type()->base_type())
    changes.add(ChangeKind::changed_underlying_type, name, std::string{scalar_text(old_type.underlying_type()->base_type())},
                std::string{scalar_text(new_type.underlying_type()->base_type())});
  compare_values(old_type, new_type, changes);
}

}  // namespace midplane::inline v0::schema
