#include <midplane/json.hpp>

#include <algorithm>

#include "schema/json_text.hpp"
#include "schema/payload.hpp"
#include "schema/payload_view.hpp"
#include "schema/schema.hpp"
#include "schema/scalars.hpp"

namespace midplane::inline v0 {

namespace schema {
namespace {

/// Walks a payload that payload.hpp accepted, so it reads without asking.
class JsonWriter {
 public:
  JsonWriter(std::span<const std::byte> payload, const reflection::Schema& schema, JsonText& text)
      : payload_{payload}, schema_{schema}, text_{text} {}

  void root(const reflection::Object& type) { table(type, payload_.follow(0)); }

 private:
  static std::vector<const reflection::Field*> in_order(const reflection::Object& type) {
    std::vector<const reflection::Field*> fields(type.fields()->begin(), type.fields()->end());
    std::sort(fields.begin(), fields.end(), [](auto* a, auto* b) { return a->id() < b->id(); });
    return fields;
  }

  void table(const reflection::Object& type, std::size_t at) {
    text_.begin_object();
    for (const auto* field : in_order(type)) {
      if (text_.is_full()) break;
      if (field->deprecated()) continue;
      if (const auto where = payload_.field(at, *field)) present(*field, at, where);
      else if (is_scalar(field->type()->base_type()) && !field->optional()) absent(*field);
    }
    text_.end_object();
  }

  void absent(const reflection::Field& field) {
    const auto& type = *field.type();
    text_.key(view_of(field.name()));
    if (type.base_type() == reflection::Float) text_.real(static_cast<float>(field.default_real()));
    else if (type.base_type() == reflection::Double) text_.real(field.default_real());
    else number(type.base_type(), type.index(), field.default_integer());
  }

  void present(const reflection::Field& field, std::size_t table_at, std::size_t at) {
    const auto& type = *field.type();
    if (type.base_type() == reflection::Union) {
      // An absent discriminator says NONE, whatever the union's own slot holds: nobody verified what that points to.
      const auto which = payload_.discriminator(table_at, field);
      const auto* held = which == 0 ? nullptr : member_of(enum_of(type.index()), payload_.read<std::uint8_t>(which));
      if (!held) return;
      text_.key(view_of(field.name()));
      return member(*held, payload_.follow(at));
    }
    text_.key(view_of(field.name()));
    if (type.base_type() == reflection::Vector) vector(field, table_at, payload_.follow(at));
    else value(type.base_type(), type.index(), at);
  }

  void value(reflection::BaseType base, std::int32_t index, std::size_t at) {
    if (base == reflection::String) return string(payload_.follow(at));
    if (base != reflection::Obj) return scalar(base, index, at);
    const auto& type = *schema_.objects()->Get(static_cast<flatbuffers::uoffset_t>(index));
    if (type.is_struct()) structure(type, at);
    else table(type, payload_.follow(at));
  }

  void string(std::size_t at) {
    const auto bytes = payload_.part(at + 4, payload_.read<std::uint32_t>(at));
    text_.string({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  void structure(const reflection::Object& type, std::size_t at) {
    text_.begin_object();
    for (const auto* field : in_order(type)) {
      if (text_.is_full()) break;
      const auto& held = *field->type();
      text_.key(view_of(field->name()));
      if (held.base_type() == reflection::Array) array(held, at + field->offset(), held.fixed_length());
      else value(held.base_type(), held.index(), at + field->offset());
    }
    text_.end_object();
  }

  void array(const reflection::Type& type, std::size_t at, std::size_t length) {
    std::size_t step = is_scalar(type.element()) ? scalar_bytes(type.element()) : sizeof(std::uint32_t);
    if (type.element() == reflection::Obj) {
      const auto& object = *schema_.objects()->Get(static_cast<flatbuffers::uoffset_t>(type.index()));
      if (object.is_struct()) step = static_cast<std::size_t>(object.bytesize());
    }
    text_.begin_array();
    for (std::size_t i = 0; i < length && !text_.is_full(); ++i) value(type.element(), type.index(), at + i * step);
    text_.end_array();
  }

  void vector(const reflection::Field& field, std::size_t table_at, std::size_t at) {
    const auto& type = *field.type();
    const std::size_t length = payload_.read<std::uint32_t>(at);
    if (type.element() == reflection::Union)
      return unions(enum_of(type.index()), payload_.follow(payload_.discriminator(table_at, field)), at);
    const bool bytes = type.index() < 0 && (type.element() == reflection::UByte || type.element() == reflection::Byte);
    if (bytes) text_.base64(payload_.part(at + 4, length));
    else array(type, at + 4, length);
  }

  void unions(const reflection::Enum& type, std::size_t types_at, std::size_t at) {
    text_.begin_array();
    for (std::size_t i = 0; i < payload_.read<std::uint32_t>(at) && !text_.is_full(); ++i) {
      const auto* held = member_of(type, payload_.read<std::uint8_t>(types_at + 4 + i));
      if (held) member(*held, payload_.follow(at + 4 + i * 4));
      else text_.null();
    }
    text_.end_array();
  }

  void member(const reflection::EnumVal& held, std::size_t at) {
    const auto& type = *held.union_type();
    if (type.base_type() == reflection::String) return string(at);
    const auto& object = *schema_.objects()->Get(static_cast<flatbuffers::uoffset_t>(type.index()));
    if (object.is_struct()) structure(object, at);
    else table(object, at);
  }

  void scalar(reflection::BaseType base, std::int32_t index, std::size_t at) {
    switch (base) {
      case reflection::Float: return text_.real(payload_.read<float>(at));
      case reflection::Double: return text_.real(payload_.read<double>(at));
      case reflection::Byte: return number(base, index, payload_.read<std::int8_t>(at));
      case reflection::Short: return number(base, index, payload_.read<std::int16_t>(at));
      case reflection::UShort: return number(base, index, payload_.read<std::uint16_t>(at));
      case reflection::Int: return number(base, index, payload_.read<std::int32_t>(at));
      case reflection::UInt: return number(base, index, payload_.read<std::uint32_t>(at));
      case reflection::Long:
      case reflection::ULong: return number(base, index, payload_.read<std::int64_t>(at));
      default: return number(base, index, payload_.read<std::uint8_t>(at));
    }
  }

  /// ULong travels in the same 64 bits as Long, as it does in the schema's defaults.
  void number(reflection::BaseType base, std::int32_t index, std::int64_t bits) {
    if (index >= 0 && name(enum_of(index), bits)) return;
    if (base == reflection::Bool) text_.boolean(bits != 0);
    else if (base == reflection::ULong) text_.natural(static_cast<std::uint64_t>(bits));
    else text_.integer(bits);
  }

  /// Flags are named together, `Read Write`, as flatc does. False when the number has no name here: a newer schema's.
  bool name(const reflection::Enum& type, std::int64_t bits) {
    for (const auto* value : *type.values())
      if (value->value() == bits) return text_.string(view_of(value->name())), true;
    const auto* attributes = type.attributes();
    if (bits == 0 || !attributes || std::none_of(attributes->begin(), attributes->end(), [](auto* attribute) {
          return view_of(attribute->key()) == "bit_flags";
        }))
      return false;
    std::string names;
    auto left = static_cast<std::uint64_t>(bits);
    for (const auto* value : *type.values()) {
      const auto flag = static_cast<std::uint64_t>(value->value());
      if (flag == 0 || (left & flag) != flag) continue;
      left &= ~flag;
      names.append(names.empty() ? "" : " ").append(view_of(value->name()));
    }
    if (left == 0) text_.string(names);
    return left == 0;
  }

  const reflection::Enum& enum_of(std::int32_t index) const {
    return *schema_.enums()->Get(static_cast<flatbuffers::uoffset_t>(index));
  }

  PayloadView payload_;
  const reflection::Schema& schema_;
  JsonText& text_;
};

}  // namespace
}  // namespace schema

Result<std::string> to_json(std::span<const std::byte> payload, const TypeInfo& type, JsonOptions options) {
  if (type.is_bytes()) return Error{ErrorCode::unsupported, "raw bytes have no schema to name their parts"};
  const auto schema = schema::Schema::load(type.bfbs);
  if (!schema) return schema.error();
  const auto* object = schema->find(type.name);
  if (!object)
    return Error{ErrorCode::invalid_schema, "the binary schema does not hold the type it is for"}.with(type.name);
  if (!schema::is_value(payload, *schema, *object))
    return Error{ErrorCode::malformed, "the bytes are no valid value of the type"}.with(type.name);
  schema::JsonText text{options.bytes_max, options.pretty};
  schema::JsonWriter{payload, schema->root(), text}.root(*object);
  if (text.is_full())
    return Error{ErrorCode::too_large, "the text is longer than JsonOptions::bytes_max"}.with(
        std::to_string(options.bytes_max));
  return text.take();
}

}  // namespace midplane::inline v0
