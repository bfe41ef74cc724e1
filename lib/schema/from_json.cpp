#include <midplane/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <optional>

#include <flatbuffers/flatbuffer_builder.h>

#include "schema/json_tree.hpp"
#include "schema/payload.hpp"
#include "schema/scalars.hpp"
#include "schema/schema.hpp"
#include "schema/type_text.hpp"

namespace midplane::inline v0 {

namespace schema {
namespace {

using Node = JsonTree::Node;
using Kind = JsonTree::Kind;
using flatbuffers::uoffset_t;

/// Leaves the recursion; ends at the door as an Error.
struct Misfit {
  std::string text;
};

std::string_view word_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::null: return "null";
    case Kind::boolean: return "a boolean";
    case Kind::number: return "a number";
    case Kind::string: return "a string";
    case Kind::array: return "an array";
    case Kind::object: return "an object";
  }
  return "?";
}

/// Both forms of a scalar; which one counts is its type's matter. ULong has the same 64 bits as Long.
struct Scalar {
  std::int64_t integer = 0;
  double real = 0;
};

template <class Fn>
auto with_type(reflection::BaseType base, Scalar value, Fn&& fn) {
  switch (base) {
    case reflection::Byte: return fn(static_cast<std::int8_t>(value.integer));
    case reflection::Short: return fn(static_cast<std::int16_t>(value.integer));
    case reflection::UShort: return fn(static_cast<std::uint16_t>(value.integer));
    case reflection::Int: return fn(static_cast<std::int32_t>(value.integer));
    case reflection::UInt: return fn(static_cast<std::uint32_t>(value.integer));
    case reflection::Long: return fn(value.integer);
    case reflection::ULong: return fn(static_cast<std::uint64_t>(value.integer));
    case reflection::Float: return fn(static_cast<float>(value.real));
    case reflection::Double: return fn(value.real);
    default: return fn(static_cast<std::uint8_t>(value.integer));
  }
}

class JsonReader {
 public:
  JsonReader(const JsonTree& json, const Schema& schema) : json_{json}, schema_{schema} {}

  std::vector<std::byte> read(const reflection::Object& type) {
    path_ = text_of(type.name());
    builder_.Finish(flatbuffers::Offset<flatbuffers::Table>{table(json_.root(), type, 1)});
    const auto* first = reinterpret_cast<const std::byte*>(builder_.GetBufferPointer());
    return {first, first + builder_.GetSize()};
  }

 private:
  /// One more step of the path that a Misfit names, until the end of the scope.
  class Step {
   public:
    Step(std::string& path, std::string_view step) : path_{path}, size_{path.size()} { path.append(step); }
    Step(const Step&) = delete;
    ~Step() { path_.resize(size_); }

   private:
    std::string& path_;
    std::size_t size_;
  };
  struct Slot {
    const reflection::Field* field;
    const Node* value;
    uoffset_t offset = 0;
  };

  [[noreturn]] void misfit(const Node& node, const std::string& why) const {
    throw Misfit{path_ + ": " + why + "; " + json_.place(node)};
  }
  [[noreturn]] void wanted(const Node& node, const std::string& what) const {
    std::string found{word_of(node.kind)};
    if (node.kind == Kind::number || node.kind == Kind::boolean) found = json_.raw(node).substr(0, 40);
    if (node.kind == Kind::string) found = '"' + std::string{json_.raw(node).substr(0, 40)} + '"';
    misfit(node, "takes " + what + ", not " + found);
  }

  // ---- tables ----

  uoffset_t table(const Node& node, const reflection::Object& type, std::size_t depth) {
    if (node.kind != Kind::object) wanted(node, "an object (" + std::string{text_of(type.name())} + ")");
    if (depth > table_depth_max) misfit(node, "tables nest too deeply");
    std::vector<Slot> slots = members(node, type);
    for (Slot& slot : slots) {
      if (is_inline(*slot.field->type())) continue;
      const Step step{path_, "." + std::string{text_of(slot.field->name())}};
      slot.offset = out_of_line(slot, slots, type, depth);
    }
    // The largest first: then nothing is padded between them.
    std::stable_sort(slots.begin(), slots.end(), [&](const Slot& a, const Slot& b) { return alignment(a) > alignment(b); });
    const uoffset_t start = builder_.StartTable();
    for (const Slot& slot : slots) {
      const Step step{path_, "." + std::string{text_of(slot.field->name())}};
      add(slot);
    }
    return builder_.EndTable(start);
  }

  std::vector<Slot> members(const Node& node, const reflection::Object& type) {
    std::vector<Slot> slots;
    for (const Node* name = json_.first(node); name; name = json_.next(*json_.next(*name))) {
      const Node& value = *json_.next(*name);
      const reflection::Field* field = field_of(*name, type);
      if (std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.field == field; }))
        misfit(*name, "has the field " + json_.text(*name) + " twice");
      if (value.kind != Kind::null) slots.push_back({field, &value});
    }
    for (const reflection::Field* field : schema_.fields(type)) {
      if (field->required() && !field->deprecated() && !slot_of(slots, *field))
        misfit(node, "lacks the field " + std::string{text_of(field->name())} + ", which is required");
    }
    return slots;
  }

  const reflection::Field* field_of(const Node& name, const reflection::Object& type) const {
    const std::string wanted = json_.text(name);
    std::string known;
    for (const reflection::Field* field : schema_.fields(type)) {
      if (field->deprecated()) continue;
      if (text_of(field->name()) == wanted) return field;
      known.append(known.empty() ? "" : ", ").append(text_of(field->name()));
    }
    if (known.size() > 400) known = known.substr(0, 400) + " ...";
    misfit(name, "has no field " + wanted.substr(0, 80) + "; " + std::string{text_of(type.name())} +
                     (known.empty() ? " has none at all" : " has " + known));
  }

  static const Slot* slot_of(const std::vector<Slot>& slots, const reflection::Field& field) noexcept {
    const auto found = std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.field == &field; });
    return found == slots.end() ? nullptr : &*found;
  }

  [[nodiscard]] bool is_inline(const reflection::Type& type) const noexcept {
    return is_scalar(type.base_type()) || (type.base_type() == reflection::Obj && schema_.object_of(type).is_struct());
  }
  [[nodiscard]] std::size_t alignment(const Slot& slot) const noexcept {
    const reflection::Type& type = *slot.field->type();
    if (type.base_type() == reflection::Obj && schema_.object_of(type).is_struct())
      return static_cast<std::size_t>(schema_.object_of(type).minalign());
    return size_of(type.base_type());
  }

  void add(const Slot& slot) {
    const reflection::Field& field = *slot.field;
    const reflection::Type& type = *field.type();
    if (slot.offset != 0) return builder_.AddOffset(field.offset(), flatbuffers::Offset<void>{slot.offset});
    if (!is_scalar(type.base_type())) return builder_.AddStructOffset(field.offset(), structure(*slot.value, schema_.object_of(type)));
    const Scalar fallback{field.default_integer(), field.default_real()};
    with_type(type.base_type(), scalar(*slot.value, type, type.base_type()), [&]<class T>(T value) {
      if (field.optional()) builder_.AddElement<T>(field.offset(), value);
      else builder_.AddElement<T>(field.offset(), value, with_type(type.base_type(), fallback, [](auto d) { return static_cast<T>(d); }));
    });
  }

  uoffset_t out_of_line(const Slot& slot, const std::vector<Slot>& slots, const reflection::Object& owner, std::size_t depth) {
    const reflection::Type& type = *slot.field->type();
    switch (type.base_type()) {
      case reflection::String: return string(*slot.value);
      case reflection::Obj: return table(*slot.value, schema_.object_of(type), depth + 1);
      case reflection::Union: return member(*slot.value, kind_of(slot, slots, owner), depth);
      default: return vector(slot, slots, owner, depth);
    }
  }

  uoffset_t string(const Node& node) {
    if (node.kind != Kind::string) wanted(node, "a string");
    return builder_.CreateString(json_.text(node)).o;
  }

  // ---- unions ----

  /// The field in front says what a union holds.
  const Slot& kind_slot(const Slot& slot, const std::vector<Slot>& slots, const reflection::Object& owner) {
    const reflection::Field& kind = *schema_.fields(owner)[slot.field->id() - 1U];
    const Slot* given = slot_of(slots, kind);
    if (!given) misfit(*slot.value, "is a union: also give " + std::string{text_of(kind.name())} + ", which says of what kind it is");
    return *given;
  }
  const reflection::EnumVal& kind_of(const Slot& slot, const std::vector<Slot>& slots, const reflection::Object& owner) {
    const Slot& kind = kind_slot(slot, slots, owner);
    return kind_of(*kind.value, *kind.field->type(), *slot.value);
  }
  const reflection::EnumVal& kind_of(const Node& kind, const reflection::Type& type, const Node& value) {
    const Scalar which = scalar(kind, type, reflection::UType);
    const auto* held = value_of(*schema_.enum_of(type), which.integer);
    if (!held || !held->union_type() || held->union_type()->base_type() == reflection::None)
      misfit(value, "is a union of kind NONE, which holds nothing");
    return *held;
  }
  uoffset_t member(const Node& node, const reflection::EnumVal& held, std::size_t depth) {
    const reflection::Type& type = *held.union_type();
    if (type.base_type() == reflection::String) return string(node);
    const reflection::Object& object = schema_.object_of(type);
    return object.is_struct() ? structure(node, object) : table(node, object, depth + 1);
  }

  // ---- vectors ----

  uoffset_t vector(const Slot& slot, const std::vector<Slot>& slots, const reflection::Object& owner, std::size_t depth) {
    const reflection::Type& type = *slot.field->type();
    const reflection::BaseType element = type.element();
    const Node& node = *slot.value;
    const bool bytes = !schema_.enum_of(type) && (element == reflection::UByte || element == reflection::Byte);
    if (bytes && node.kind == Kind::string) return base64(node);
    if (node.kind != Kind::array) wanted(node, bytes ? "an array or base64 text" : "an array");
    if (is_scalar(element)) return inline_vector(node, type, size_of(element), size_of(element));
    if (element == reflection::Obj && schema_.object_of(type).is_struct()) {
      const reflection::Object& object = schema_.object_of(type);
      return inline_vector(node, type, static_cast<std::size_t>(object.bytesize()), static_cast<std::size_t>(object.minalign()));
    }
    const Node* kind = nullptr;
    if (element == reflection::Union) {
      const Slot& kinds = kind_slot(slot, slots, owner);
      if (kinds.value->kind != Kind::array || json_.count(*kinds.value) != json_.count(node))
        misfit(*kinds.value, "needs as many kinds as values");
      kind = json_.first(*kinds.value);
    }
    std::vector<flatbuffers::Offset<void>> offsets;
    for (const Node* one = json_.first(node); one; one = json_.next(*one), kind = kind ? json_.next(*kind) : nullptr) {
      const Step step{path_, "[" + std::to_string(offsets.size()) + "]"};
      if (element == reflection::String) offsets.emplace_back(string(*one));
      else if (element == reflection::Obj) offsets.emplace_back(table(*one, schema_.object_of(type), depth + 1));
      else offsets.emplace_back(member(*one, kind_of(*kind, type, *one), depth));
    }
    return builder_.CreateVector(offsets).o;
  }

  uoffset_t inline_vector(const Node& node, const reflection::Type& type, std::size_t step, std::size_t align) {
    const std::size_t count = json_.count(node);
    std::vector<std::uint8_t> bytes(count * step);
    fill_many(bytes.data(), node, type, step);
    builder_.StartVector(count * step / align, align);
    if (!bytes.empty()) builder_.PushBytes(bytes.data(), bytes.size());
    return builder_.EndVector(count);
  }

  uoffset_t base64(const Node& node) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::string text = json_.text(node);
    std::string_view digits = text;
    for (int padding = 0; padding < 2 && digits.ends_with('='); ++padding) digits.remove_suffix(1);
    if (text.size() % 4 != 0 || digits.size() % 4 == 1) misfit(node, "takes base64 text, whose length is a multiple of 4");
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : digits) {
      const std::size_t value = letters.find(c);
      if (value == std::string_view::npos) misfit(node, "takes base64 text, not '" + std::string(1, c) + "'");
      bits = bits << 6 | static_cast<std::uint32_t>(value);
      held += 6;
      if (held >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (held -= 8)));
    }
    return builder_.CreateVector(bytes).o;
  }

  // ---- what stands inside its owner ----

  uoffset_t structure(const Node& node, const reflection::Object& type) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(type.bytesize()));
    fill(bytes.data(), node, type);
    builder_.Align(static_cast<std::size_t>(type.minalign()));
    builder_.PushBytes(bytes.data(), bytes.size());
    return builder_.GetSize();
  }

  void fill(std::uint8_t* to, const Node& node, const reflection::Object& type) {
    if (node.kind != Kind::object) wanted(node, "an object (" + std::string{text_of(type.name())} + ")");
    std::size_t given = 0;
    for (const Node* name = json_.first(node); name; name = json_.next(*json_.next(*name)), ++given) {
      const reflection::Field& field = *field_of(*name, type);
      const Step step{path_, "." + std::string{text_of(field.name())}};
      fill_one(to + field.offset(), *json_.next(*name), *field.type());
    }
    // No field twice and none missing: then each was given once.
    for (const reflection::Field* field : schema_.fields(type)) {
      std::size_t times = 0;
      for (const Node* name = json_.first(node); name; name = json_.next(*json_.next(*name))) times += json_.text(*name) == text_of(field->name());
      if (times != 1) misfit(node, (times == 0 ? "lacks " : "has twice ") + std::string{text_of(field->name())} + "; a struct has all its fields, each once");
    }
  }
  void fill_one(std::uint8_t* to, const Node& node, const reflection::Type& type) {
    if (type.base_type() == reflection::Array) {
      if (node.kind != Kind::array || json_.count(node) != type.fixed_length())
        wanted(node, "an array of " + std::to_string(type.fixed_length()) + " elements");
      const auto* object = type.element() == reflection::Obj ? &schema_.object_of(type) : nullptr;
      return fill_many(to, node, type, object ? static_cast<std::size_t>(object->bytesize()) : size_of(type.element()));
    }
    if (type.base_type() == reflection::Obj) return fill(to, node, schema_.object_of(type));
    put(to, scalar(node, type, type.base_type()), type.base_type());
  }
  void fill_many(std::uint8_t* to, const Node& node, const reflection::Type& type, std::size_t step) {
    std::size_t index = 0;
    for (const Node* one = json_.first(node); one; one = json_.next(*one), ++index) {
      const Step at{path_, "[" + std::to_string(index) + "]"};
      if (type.element() == reflection::Obj) fill(to + index * step, *one, schema_.object_of(type));
      else put(to + index * step, scalar(*one, type, type.element()), type.element());
    }
  }
  static void put(std::uint8_t* to, Scalar value, reflection::BaseType base) {
    with_type(base, value, [to](auto typed) { std::memcpy(to, &typed, sizeof typed); });
  }

  // ---- scalars ----

  Scalar scalar(const Node& node, const reflection::Type& type, reflection::BaseType base) {
    if (is_floating(base)) return {0, real(node, base)};
    const reflection::Enum* named = schema_.enum_of(type);
    if (named && node.kind == Kind::string) return {by_name(node, *named), 0};
    if (base == reflection::Bool && node.kind == Kind::boolean) return {json_.raw(node) == "true" ? 1 : 0, 0};
    return {integer(node, base), 0};
  }

  double real(const Node& node, reflection::BaseType base) const {
    if (node.kind == Kind::string) {
      const std::string text = json_.text(node);
      if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
      if (text == "Infinity") return std::numeric_limits<double>::infinity();
      if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    }
    if (node.kind != Kind::number) wanted(node, "a number (" + std::string{scalar_text(base)} + ")");
    const std::string_view text = json_.raw(node);
    double number = 0;
    const auto fault = std::from_chars(text.data(), text.data() + text.size(), number).ec;
    const bool fits = fault == std::errc{} && (base == reflection::Double || std::isfinite(static_cast<float>(number)));
    if (!fits) misfit(node, std::string{text.substr(0, 40)} + " does not fit a " + std::string{scalar_text(base)});
    return number;
  }

  /// Whole numbers, also as strings: `to_json` writes those beyond 2^53 that way.
  std::int64_t integer(const Node& node, reflection::BaseType base) const {
    if (node.kind != Kind::number && node.kind != Kind::string) wanted(node, whole(base));
    const std::string_view text = json_.raw(node);
    const char* end = text.data() + text.size();
    if (base == reflection::ULong) {
      std::uint64_t number = 0;
      const auto read = std::from_chars(text.data(), end, number);
      if (read.ec != std::errc{} || read.ptr != end) wanted(node, whole(base));
      return static_cast<std::int64_t>(number);
    }
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), end, number);
    const auto [least, most] = range_of(base);
    if (read.ec != std::errc{} || read.ptr != end || number < least || number > most) wanted(node, whole(base));
    return number;
  }
  static std::pair<std::int64_t, std::int64_t> range_of(reflection::BaseType base) noexcept {
    if (base == reflection::Bool) return {0, 1};
    const unsigned bits = 8 * scalar_bytes(base);
    if (bits == 64) return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    const bool is_signed = base == reflection::Byte || base == reflection::Short || base == reflection::Int;
    const std::int64_t span = std::int64_t{1} << bits;
    return is_signed ? std::pair{-span / 2, span / 2 - 1} : std::pair{std::int64_t{0}, span - 1};
  }
  static std::string whole(reflection::BaseType base) {
    if (base == reflection::Bool) return "true or false";
    const std::string type{base == reflection::UType ? "ubyte" : scalar_text(base)};
    if (base == reflection::ULong) return "a whole number (" + type + ", 0 to 18446744073709551615)";
    const auto [least, most] = range_of(base);
    return "a whole number (" + type + ", " + std::to_string(least) + " to " + std::to_string(most) + ")";
  }

  /// One value's name, or several of flags with spaces between them.
  std::int64_t by_name(const Node& node, const reflection::Enum& type) const {
    const std::string text = json_.text(node);
    const auto* attributes = type.attributes();
    const bool flags = attributes && std::any_of(attributes->begin(), attributes->end(),
                                                 [](const auto* one) { return text_of(one->key()) == "bit_flags"; });
    std::int64_t sum = 0;
    std::string_view left = text;
    do {
      const std::size_t end = flags ? std::min(left.find(' '), left.size()) : left.size();
      const std::string_view name = left.substr(0, end);
      left.remove_prefix(std::min(end + 1, left.size()));
      if (flags && text.empty()) return 0;
      const auto found = std::find_if(type.values()->begin(), type.values()->end(), [&](const auto* value) { return text_of(value->name()) == name; });
      if (found == type.values()->end()) misfit(node, "has no value \"" + std::string{name.substr(0, 80)} + "\"; " + values_text(type));
      sum |= found->value();
    } while (!left.empty());
    return sum;
  }
  static std::string values_text(const reflection::Enum& type) {
    std::string names;
    for (const auto* value : *type.values()) {
      if (names.size() > 400) return std::string{text_of(type.name())} + " has " + names + ", ...";
      names.append(names.empty() ? "" : ", ").append(text_of(value->name()));
    }
    return std::string{text_of(type.name())} + " has " + names;
  }

  const JsonTree& json_;
  const Schema& schema_;
  flatbuffers::FlatBufferBuilder builder_;
  std::string path_;
};

}  // namespace
}  // namespace schema

Result<std::vector<std::byte>> from_json(std::string_view text, const TypeInfo& type) try {
  if (type.is_bytes()) return Error{ErrorCode::unsupported, "raw bytes have no schema to name their parts"};
  if (text.size() > json_bytes_max)
    return Error{ErrorCode::too_large, "the JSON is longer than json_bytes_max"}.with(std::to_string(json_bytes_max));
  const auto schema = schema::Schema::load(type.bfbs);
  if (!schema) return schema.error();
  const auto* object = schema->find(type.name);
  if (!object || object->is_struct())
    return Error{ErrorCode::invalid_schema, "the binary schema does not hold the table it is for"}.with(type.name);
  const auto json = schema::JsonTree::parse(text);
  if (!json) return json.error();
  auto payload = schema::JsonReader{*json, *schema}.read(*object);
  if (!schema::is_value(payload, *schema, *object))
    return Error{ErrorCode::malformed, "the JSON does not fit the type"}.with("it nests too deeply or is too large");
  return payload;
} catch (const schema::Misfit& misfit) {
  return Error{ErrorCode::malformed, "the JSON does not fit the type"}.with(misfit.text);
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for a payload from JSON"};
}

}  // namespace midplane::inline v0
