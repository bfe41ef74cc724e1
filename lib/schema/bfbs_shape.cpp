#include "schema/bfbs_shape.hpp"

#include <flatbuffers/reflection_generated.h>

#include "schema/bounds.hpp"

namespace midplane::inline v0::schema {
namespace {

enum class Kind : std::uint8_t { scalar, string, strings, table, tables };

struct Shape;

/// One field of a table of reflection.fbs: a scalar of `size` bytes, or what `shape` says.
struct Slot {
  std::uint16_t voffset;
  Kind kind;
  bool required = false;
  std::uint8_t size = 0;
  const Shape* shape = nullptr;
};
struct Shape {
  std::span<const Slot> slots;
};

using namespace reflection;

constexpr Slot type_slots[] = {
    {Type::VT_BASE_TYPE, Kind::scalar, false, 1},    {Type::VT_ELEMENT, Kind::scalar, false, 1},
    {Type::VT_INDEX, Kind::scalar, false, 4},        {Type::VT_FIXED_LENGTH, Kind::scalar, false, 2},
    {Type::VT_BASE_SIZE, Kind::scalar, false, 4},    {Type::VT_ELEMENT_SIZE, Kind::scalar, false, 4}};
constexpr Shape type_shape{type_slots};

constexpr Slot key_value_slots[] = {{KeyValue::VT_KEY, Kind::string, true}, {KeyValue::VT_VALUE, Kind::string}};
constexpr Shape key_value_shape{key_value_slots};

constexpr Slot enum_value_slots[] = {{EnumVal::VT_NAME, Kind::string, true},
                                     {EnumVal::VT_VALUE, Kind::scalar, false, 8},
                                     {EnumVal::VT_UNION_TYPE, Kind::table, false, 0, &type_shape},
                                     {EnumVal::VT_DOCUMENTATION, Kind::strings}};
constexpr Shape enum_value_shape{enum_value_slots};

constexpr Slot enum_slots[] = {{Enum::VT_NAME, Kind::string, true},
                               {Enum::VT_VALUES, Kind::tables, true, 0, &enum_value_shape},
                               {Enum::VT_IS_UNION, Kind::scalar, false, 1},
                               {Enum::VT_UNDERLYING_TYPE, Kind::table, true, 0, &type_shape},
                               {Enum::VT_ATTRIBUTES, Kind::tables, false, 0, &key_value_shape},
                               {Enum::VT_DOCUMENTATION, Kind::strings},
                               {Enum::VT_DECLARATION_FILE, Kind::string}};
constexpr Shape enum_shape{enum_slots};

constexpr Slot field_slots[] = {{Field::VT_NAME, Kind::string, true},
                                {Field::VT_TYPE, Kind::table, true, 0, &type_shape},
                                {Field::VT_ID, Kind::scalar, false, 2},
                                {Field::VT_OFFSET, Kind::scalar, false, 2},
                                {Field::VT_DEFAULT_INTEGER, Kind::scalar, false, 8},
                                {Field::VT_DEFAULT_REAL, Kind::scalar, false, 8},
                                {Field::VT_DEPRECATED, Kind::scalar, false, 1},
                                {Field::VT_REQUIRED, Kind::scalar, false, 1},
                                {Field::VT_KEY, Kind::scalar, false, 1},
                                {Field::VT_ATTRIBUTES, Kind::tables, false, 0, &key_value_shape},
                                {Field::VT_DOCUMENTATION, Kind::strings},
                                {Field::VT_OPTIONAL, Kind::scalar, false, 1},
                                {Field::VT_PADDING, Kind::scalar, false, 2}};
constexpr Shape field_shape{field_slots};

constexpr Slot object_slots[] = {{Object::VT_NAME, Kind::string, true},
                                 {Object::VT_FIELDS, Kind::tables, true, 0, &field_shape},
                                 {Object::VT_IS_STRUCT, Kind::scalar, false, 1},
                                 {Object::VT_MINALIGN, Kind::scalar, false, 4},
                                 {Object::VT_BYTESIZE, Kind::scalar, false, 4},
                                 {Object::VT_ATTRIBUTES, Kind::tables, false, 0, &key_value_shape},
                                 {Object::VT_DOCUMENTATION, Kind::strings},
                                 {Object::VT_DECLARATION_FILE, Kind::string}};
constexpr Shape object_shape{object_slots};

constexpr Slot call_slots[] = {{RPCCall::VT_NAME, Kind::string, true},
                               {RPCCall::VT_REQUEST, Kind::table, true, 0, &object_shape},
                               {RPCCall::VT_RESPONSE, Kind::table, true, 0, &object_shape},
                               {RPCCall::VT_ATTRIBUTES, Kind::tables, false, 0, &key_value_shape},
                               {RPCCall::VT_DOCUMENTATION, Kind::strings}};
constexpr Shape call_shape{call_slots};

constexpr Slot service_slots[] = {{Service::VT_NAME, Kind::string, true},
                                  {Service::VT_CALLS, Kind::tables, false, 0, &call_shape},
                                  {Service::VT_ATTRIBUTES, Kind::tables, false, 0, &key_value_shape},
                                  {Service::VT_DOCUMENTATION, Kind::strings},
                                  {Service::VT_DECLARATION_FILE, Kind::string}};
constexpr Shape service_shape{service_slots};

constexpr Slot file_slots[] = {{SchemaFile::VT_FILENAME, Kind::string, true},
                               {SchemaFile::VT_INCLUDED_FILENAMES, Kind::strings}};
constexpr Shape file_shape{file_slots};

constexpr Slot schema_slots[] = {{reflection::Schema::VT_OBJECTS, Kind::tables, true, 0, &object_shape},
                                 {reflection::Schema::VT_ENUMS, Kind::tables, true, 0, &enum_shape},
                                 {reflection::Schema::VT_FILE_IDENT, Kind::string},
                                 {reflection::Schema::VT_FILE_EXT, Kind::string},
                                 {reflection::Schema::VT_ROOT_TABLE, Kind::table, false, 0, &object_shape},
                                 {reflection::Schema::VT_SERVICES, Kind::tables, false, 0, &service_shape},
                                 {reflection::Schema::VT_ADVANCED_FEATURES, Kind::scalar, false, 8},
                                 {reflection::Schema::VT_FBS_FILES, Kind::tables, false, 0, &file_shape}};
constexpr Shape schema_shape{schema_slots};

// The shapes contain no cycle, so the recursion is as deep as they are.
bool is_table(Bounds& bounds, std::size_t at, const Shape& shape) noexcept;

bool is_vector(Bounds& bounds, std::size_t at, const Shape* shape) noexcept {
  const auto found = bounds.vector(at, 4, 4);
  if (!found || !bounds.spend(found->count)) return false;
  for (std::size_t i = 0; i < found->count; ++i) {
    const auto element = bounds.follow(found->first + 4 * i);
    if (!element || !(shape ? is_table(bounds, *element, *shape) : bounds.string(*element))) return false;
  }
  return true;
}

bool is_slot(Bounds& bounds, std::size_t at, const Slot& slot) noexcept {
  if (slot.kind == Kind::scalar) return bounds.holds(at, slot.size, slot.size);
  const auto target = bounds.follow(at);
  if (!target) return false;
  switch (slot.kind) {
    case Kind::string: return bounds.string(*target);
    case Kind::table: return is_table(bounds, *target, *slot.shape);
    default: return is_vector(bounds, *target, slot.shape);
  }
}

bool is_table(Bounds& bounds, std::size_t at, const Shape& shape) noexcept {
  const auto table = bounds.table(at);
  if (!table || !bounds.spend(shape.slots.size())) return false;
  for (const Slot& slot : shape.slots) {
    const std::size_t field = table->field(bounds.bytes(), slot.voffset);
    if (field == 0 ? slot.required : !is_slot(bounds, field, slot)) return false;
  }
  return true;
}

}  // namespace

bool has_bfbs_shape(std::span<const std::byte> bytes) noexcept {
  Bounds bounds{bytes, schema_steps_max(bytes.size())};
  const auto root = bounds.follow(0);
  return root && is_table(bounds, *root, schema_shape);
}

}  // namespace midplane::inline v0::schema
