#include "schema/evolution.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include "schema/changes.hpp"
#include "schema/type_text.hpp"

namespace midplane::inline v0::schema {
namespace {

std::string_view kind_of(const reflection::Object& type) noexcept { return type.is_struct() ? "struct" : "table"; }

bool has_same_default(const reflection::Field& a, const reflection::Field& b) noexcept {
  // flatc marks every string, vector and table `optional` that is not required; only a scalar has a default.
  if (!is_scalar(a.type()->base_type())) return true;
  return a.default_integer() == b.default_integer() && a.optional() == b.optional() &&
         std::bit_cast<std::uint64_t>(a.default_real()) == std::bit_cast<std::uint64_t>(b.default_real());
}

class Comparison {
 public:
  Comparison(const Schema& before, const Schema& after) : before_{before}, after_{after} {}

  void compare(const reflection::Object& old_type, const reflection::Object& new_type) {
    expect(old_type, new_type);
    // A list instead of recursion: how far types reach is the peer's choice, the stack is ours.
    while (!waiting_.empty()) {
      const auto [before, after] = waiting_.back();
      waiting_.pop_back();
      compare_pair(*before, *after);
    }
  }
  void compare(const reflection::Enum& old_type, const reflection::Enum& new_type) {
    if (changes_.is_new(&old_type, &new_type)) compare_enums(before_, old_type, after_, new_type, changes_);
  }
  Changes& changes() noexcept { return changes_; }

 private:
  void expect(const reflection::Object& old_type, const reflection::Object& new_type) {
    if (changes_.is_new(&old_type, &new_type)) waiting_.emplace_back(&old_type, &new_type);
  }

  void compare_pair(const reflection::Object& old_type, const reflection::Object& new_type) {
    const std::string name{text_of(old_type.name())};
    if (old_type.name()->string_view() != new_type.name()->string_view())
      return changes_.add(ChangeKind::changed_type, name, name, new_type.name()->str());
    if (old_type.is_struct() != new_type.is_struct())
      return changes_.add(ChangeKind::changed_kind, name, std::string{kind_of(old_type)}, std::string{kind_of(new_type)});
    if (old_type.is_struct()) compare_structs(name, old_type, new_type);
    else compare_tables(name, old_type, new_type);
  }

  void compare_tables(const std::string& name, const reflection::Object& old_type, const reflection::Object& new_type) {
    const FieldsView old_fields = before_.fields(old_type);
    const FieldsView new_fields = after_.fields(new_type);
    std::unordered_map<std::string_view, const reflection::Field*> names;
    for (const auto* field : new_fields) names.emplace(text_of(field->name()), field);
    std::unordered_set<std::string_view> old_names;
    for (const auto* field : old_fields) old_names.insert(text_of(field->name()));
    for (const auto* field : old_fields) {
      const auto same_name = names.find(text_of(field->name()));
      // What stands at the id now had another one before: it moved there because this field was taken out.
      const bool is_pushed_out = same_name == names.end() && field->id() < new_fields.size() &&
                                 old_names.contains(text_of(new_fields[field->id()]->name()));
      if (same_name != names.end() && same_name->second->id() != field->id()) {
        changes_.add(ChangeKind::changed_id, qualified(name, field->name()), "id " + std::to_string(field->id()),
                     "id " + std::to_string(same_name->second->id()));
      } else if (field->id() >= new_fields.size() || is_pushed_out) {
        changes_.add(ChangeKind::deleted_field, qualified(name, field->name()), type_text(before_, *field->type()), "absent");
      } else {
        compare_fields(name, *field, *new_fields[field->id()]);
      }
    }
    for (std::size_t id = old_fields.size(); id < new_fields.size(); ++id) {
      if (new_fields[id]->required())
        changes_.add(ChangeKind::newly_required, qualified(name, new_fields[id]->name()), "absent", "required");
    }
  }

  void compare_fields(const std::string& name, const reflection::Field& old_field, const reflection::Field& new_field) {
    const std::string path = qualified(name, old_field.name());
    if (!compare_types(path, ChangeKind::changed_type, old_field, new_field)) return;
    if (!has_same_default(old_field, new_field))
      changes_.add(ChangeKind::changed_default, path, default_text(old_field), default_text(new_field));
    // A deprecated field is neither written nor verified any more: to the other side it is not required.
    const bool was_required = old_field.required() && !old_field.deprecated();
    const bool is_required = new_field.required() && !new_field.deprecated();
    if (was_required && !is_required)
      changes_.add(ChangeKind::no_longer_required, path, "required", new_field.deprecated() ? "deprecated" : "optional");
    if (!was_required && is_required)
      changes_.add(ChangeKind::newly_required, path, old_field.deprecated() ? "deprecated" : "optional", "required");
  }

  /// False when the types differ by themselves; what they refer to is compared later.
  bool compare_types(const std::string& path, ChangeKind kind, const reflection::Field& old_field,
                     const reflection::Field& new_field) {
    const reflection::Type& was = *old_field.type();
    const reflection::Type& is = *new_field.type();
    const std::string old_text = type_text(before_, was);
    const std::string new_text = type_text(after_, is);
    if (old_text != new_text) {
      const bool renamed = old_field.name()->string_view() != new_field.name()->string_view();
      changes_.add(kind, path, old_text, renamed ? new_text + " (" + new_field.name()->str() + ")" : new_text);
      return false;
    }
    follow(was, is);
    return true;
  }

  /// Types of the same text: what they name, they name alike; a name may still have become an enum from a table.
  void follow(const reflection::Type& was, const reflection::Type& is) {
    const auto* old_enum = before_.enum_of(was);
    const auto* new_enum = after_.enum_of(is);
    const bool old_object = element_of(was) == reflection::Obj;
    const bool new_object = element_of(is) == reflection::Obj;
    if (old_object && new_object) return expect(before_.object_of(was), after_.object_of(is));
    if (old_enum && new_enum) {
      compare(*old_enum, *new_enum);
      return follow_members(*old_enum, *new_enum);
    }
    if (old_object != new_object && changes_.is_new(&was, &is))
      changes_.add(ChangeKind::changed_kind, type_text(before_, was), old_object ? "table or struct" : "enum or union",
                   new_object ? "table or struct" : "enum or union");
  }
  void follow_members(const reflection::Enum& old_type, const reflection::Enum& new_type) {
    if (!old_type.is_union() || !new_type.is_union()) return;
    for (const auto* member : *old_type.values()) {
      const auto* now = value_of(new_type, member->value());
      if (!now || !member->union_type() || !now->union_type()) continue;
      const bool objects = member->union_type()->base_type() == reflection::Obj && now->union_type()->base_type() == reflection::Obj;
      // Members of another name are reported as changed where the union is compared.
      if (objects && before_.object_of(*member->union_type()).name()->string_view() ==
                         after_.object_of(*now->union_type()).name()->string_view())
        expect(before_.object_of(*member->union_type()), after_.object_of(*now->union_type()));
    }
  }

  void compare_structs(const std::string& name, const reflection::Object& old_type, const reflection::Object& new_type) {
    const FieldsView old_fields = before_.fields(old_type);
    const FieldsView new_fields = after_.fields(new_type);
    const auto at = [](const Schema& schema, const reflection::Field& field) {
      return type_text(schema, *field.type()) + " at " + std::to_string(field.offset());
    };
    std::unordered_map<std::string_view, const reflection::Field*> names;
    for (const auto* field : new_fields) names.emplace(text_of(field->name()), field);
    for (std::size_t i = 0; i < std::max(old_fields.size(), new_fields.size()); ++i) {
      const auto* was = i < old_fields.size() ? old_fields[i] : nullptr;
      const auto* is = i < new_fields.size() ? new_fields[i] : nullptr;
      const std::string path = qualified(name, (was ? was : is)->name());
      const std::string before = was ? at(before_, *was) : "absent";
      const std::string after = is ? at(after_, *is) : "absent";
      // Two members of one type that changed places leave every place as it was, and every value in the wrong one.
      const auto moved = was ? names.find(text_of(was->name())) : names.end();
      if (before != after) changes_.add(ChangeKind::changed_layout, path, before, after);
      else if (moved != names.end() && moved->second != is)
        changes_.add(ChangeKind::changed_layout, path, before, at(after_, *moved->second));
      else follow(*was->type(), *is->type());
    }
    const auto size = [](const reflection::Object& type) {
      return std::to_string(type.bytesize()) + " bytes, aligned to " + std::to_string(type.minalign());
    };
    if (size(old_type) != size(new_type)) changes_.add(ChangeKind::changed_layout, name, size(old_type), size(new_type));
  }

  const Schema& before_;
  const Schema& after_;
  Changes changes_;
  std::vector<std::pair<const reflection::Object*, const reflection::Object*>> waiting_;
};

}  // namespace

std::vector<Change> incompatible_changes(const Schema& before, const reflection::Object& old_type, const Schema& after,
                                         const reflection::Object& new_type) {
  Comparison comparison{before, after};
  comparison.compare(old_type, new_type);
  return std::move(comparison.changes()).take();
}

std::vector<Change> incompatible_changes(const Schema& before, const Schema& after) {
  Comparison comparison{before, after};
  for (const auto* type : *before.root().objects()) {
    const std::string_view name = text_of(type->name());
    if (const auto* now = after.find(name)) comparison.compare(*type, *now);
    else if (!after.find_enum(name))
      comparison.changes().add(ChangeKind::deleted_type, std::string{name}, std::string{kind_of(*type)}, "absent");
    else
      comparison.changes().add(ChangeKind::changed_kind, std::string{name}, std::string{kind_of(*type)}, "enum or union");
  }
  for (const auto* type : *before.root().enums()) {
    const std::string_view name = text_of(type->name());
    const std::string kind = type->is_union() ? "union" : "enum";
    if (const auto* now = after.find_enum(name)) comparison.compare(*type, *now);
    else if (const auto* object = after.find(name))
      comparison.changes().add(ChangeKind::changed_kind, std::string{name}, kind, std::string{kind_of(*object)});
    else
      comparison.changes().add(ChangeKind::deleted_type, std::string{name}, kind, "absent");
  }
  return std::move(comparison.changes()).take();
}

}  // namespace midplane::inline v0::schema
