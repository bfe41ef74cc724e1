#include "schema/type_text.hpp"

#include <charconv>

namespace midplane::inline v0::schema {
std::string_view scalar_text(reflection::BaseType type) noexcept {
  switch (type) {
    case reflection::Bool: return "bool";
    case reflection::Byte: return "byte";
    case reflection::UByte: return "ubyte";
    case reflection::Short: return "short";
    case reflection::UShort: return "ushort";
    case reflection::Int: return "int";
    case reflection::UInt: return "uint";
    case reflection::Long: return "long";
    case reflection::ULong: return "ulong";
    case reflection::Float: return "float";
    case reflection::Double: return "double";
    case reflection::String: return "string";
    default: return "?";
  }
}

namespace {

std::string element_text(const Schema& schema, const reflection::Type& type) {
  const reflection::BaseType base = element_of(type);
  if (base == reflection::Obj) return std::string{text_of(schema.object_of(type).name())};
  if (const auto* named = schema.enum_of(type))
    return (base == reflection::UType ? "type of " : "") + std::string{text_of(named->name())};
  return std::string{scalar_text(base)};
}

}  // namespace

std::string type_text(const Schema& schema, const reflection::Type& type) {
  std::string text = element_text(schema, type);
  if (type.base_type() == reflection::Vector) return "[" + text + "]";
  if (type.base_type() == reflection::Array) return "[" + text + ":" + std::to_string(type.fixed_length()) + "]";
  return text;
}

std::string default_text(const reflection::Field& field) {
  const reflection::BaseType base = field.type()->base_type();
  if (!is_scalar(base)) return {};
  if (field.optional()) return "null";
  if (base == reflection::ULong) return std::to_string(static_cast<std::uint64_t>(field.default_integer()));
  if (!is_floating(base)) return std::to_string(field.default_integer());
  if (field.default_real() != field.default_real()) return "nan";
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, field.default_real()).ptr};
}

std::string qualified(std::string_view type, const flatbuffers::String* member) {
  return std::string{type}.append(".").append(text_of(member));
}

}  // namespace midplane::inline v0::schema
