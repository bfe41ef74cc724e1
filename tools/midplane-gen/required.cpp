#include "required.hpp"

#include <set>

#include "native.hpp"
#include "words.hpp"

namespace midplane::gen {
namespace {

using schema::Schema;

class Search {
 public:
  explicit Search(const Schema& schema) : schema_{schema} {}

  bool holds(const reflection::Object& table) {
    if (table.is_struct() || has_own_type(table) || !seen_.insert(&table).second) return false;
    for (const auto* field : *table.fields()) {
      if (field->deprecated() || has_own_type(*field)) continue;
      if (holds(*field)) return true;
    }
    return false;
  }

 private:
  bool holds(const reflection::Field& field) {
    const reflection::Type& type = *field.type();
    const bool many = type.base_type() == reflection::Vector;
    switch (schema::element_of(type)) {
      case reflection::Obj:
        if (schema_.object_of(type).is_struct()) return !many && field.required();
        return many || field.required() || holds(schema_.object_of(type));
      case reflection::Union:
        return true;
      default:
        return false;
    }
  }

  const Schema& schema_;
  std::set<const reflection::Object*> seen_;
};

std::string type_of(const reflection::Object& table) { return "::" + cpp_name(view_of(table.name())); }

/// What leaves the function when `condition` holds.
std::string refusal(const std::string& condition, const std::string& field) {
  return "if (" + condition + ") return \"" + field + "\";\n";
}

/// `part`: an expression for the object API's value of a table.
std::string inner(const Schema& schema, const reflection::Object& table, const std::string& part) {
  if (!has_required_parts(schema, table)) return {};
  return "if (const auto unset = midplane::RequiredParts<" + type_of(table) + ">::unset(" + part +
         "); !unset.empty()) return unset;\n";
}

/// `part`: an expression for the object API's value of a union.
std::string union_text(const Schema& schema, const reflection::Type& type, const std::string& part, bool required,
                       const std::string& field, const std::string& indent) {
  const std::string is_set = "static_cast<int>(" + part + ".type) != 0";
  std::string text = indent + refusal(required ? '!' + part + ".value" : is_set + " && !" + part + ".value", field);
  for (const auto* member : *schema.enum_of(type)->values()) {
    const reflection::Type* its = member->union_type();
    if (member->value() == 0 || !its || its->base_type() != reflection::Obj) continue;
    const std::string body = inner(schema, schema.object_of(*its), "*one");
    if (body.empty()) continue;
    text += indent + "if (const auto* one = " + part + ".As" + identifier(std::string{view_of(member->name())}) + "()) {\n" +
            indent + "  " + body + indent + "}\n";
  }
  return text;
}

std::string field_text(const Schema& schema, const reflection::Object& table, const reflection::Field& field) {
  const reflection::Type& type = *field.type();
  const bool many = type.base_type() == reflection::Vector;
  const std::string member = "value." + identifier(std::string{view_of(field.name())});
  const std::string full_name = std::string{view_of(table.name())} + '.' + std::string{view_of(field.name())};
  const reflection::BaseType element = schema::element_of(type);
  if (element == reflection::Union) {
    if (!many) return union_text(schema, type, member, field.required(), full_name, "  ");
    return "  for (const auto& each : " + member + ") {\n" + union_text(schema, type, "each", true, full_name + "[]", "    ") + "  }\n";
  }
  if (element != reflection::Obj) return {};
  const reflection::Object& object = schema.object_of(type);
  if (many && object.is_struct()) return {};
  if (many)
    return "  for (const auto& each : " + member + ") {\n    " + refusal("!each", full_name + "[]") +
           (has_required_parts(schema, object) ? "    " + inner(schema, object, "*each") : "") + "  }\n";
  std::string text;
  if (field.required()) text += "  " + refusal('!' + member, full_name);
  const std::string body = object.is_struct() ? std::string{} : inner(schema, object, '*' + member);
  if (!body.empty()) text += "  if (" + member + ") {\n    " + body + "  }\n";
  return text;
}

}  // namespace

bool has_required_parts(const Schema& schema, const reflection::Object& table) { return Search{schema}.holds(table); }

std::string required_declaration(const Schema& schema, const reflection::Object& table) {
  if (!has_required_parts(schema, table)) return {};
  return "\ntemplate <>\nstruct midplane::RequiredParts<" + type_of(table) + "> {\n  static std::string_view unset(const " +
         type_of(table) + "::NativeTableType& value) noexcept;\n};\n";
}

std::string required_definition(const Schema& schema, const reflection::Object& table) {
  if (!has_required_parts(schema, table)) return {};
  std::string text = "\nstd::string_view midplane::RequiredParts<" + type_of(table) + ">::unset(const " + type_of(table) +
                     "::NativeTableType& value) noexcept {\n";
  for (const auto* field : *table.fields()) {
    if (!field->deprecated() && !has_own_type(*field)) text += field_text(schema, table, *field);
  }
  return text + "  return {};\n}\n";
}

}  // namespace midplane::gen
