#include "schema/schema.hpp"

#include <algorithm>
#include <new>
#include <vector>

#include "schema/bfbs_shape.hpp"
#include "schema/soundness.hpp"

namespace midplane::inline v0::schema {

struct Schema::Content {
  std::vector<std::byte> bytes;
  const reflection::Schema* root = nullptr;
  FieldsOf fields;
};

namespace {

template <class Types>
auto find_in(const Types& types, std::string_view name) noexcept -> decltype(types.Get(0)) {
  const auto found = std::lower_bound(types.begin(), types.end(), name, [](const auto* type, std::string_view wanted) {
    return text_of(type->name()) < wanted;
  });
  return found != types.end() && text_of((*found)->name()) == name ? *found : nullptr;
}

}  // namespace

Result<Schema> Schema::load(std::span<const std::byte> bfbs) try {
  if (bfbs.size() > schema_bytes_max)
    return Error{ErrorCode::invalid_schema, "a binary schema has at most 4 MiB; split it or leave its comments out"};
  auto content = std::make_shared<Content>();
  // A heap block is aligned for every scalar; the caller's bytes need not be.
  content->bytes.assign(bfbs.begin(), bfbs.end());
  if (!has_bfbs_shape(content->bytes))
    return Error{ErrorCode::invalid_schema, "these bytes are no binary schema; make one with flatc --schema -b"};
  content->root = flatbuffers::GetRoot<reflection::Schema>(content->bytes.data());
  if (const char* fault = unsoundness(*content->root, content->fields))
    return Error{ErrorCode::invalid_schema, "the binary schema contradicts itself; make it anew with flatc --schema -b"}.with(fault);
  return Schema{std::move(content)};
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for a binary schema"};
}

const reflection::Schema& Schema::root() const noexcept { return *content_->root; }

const reflection::Object* Schema::find(std::string_view type) const noexcept { return find_in(*root().objects(), type); }

const reflection::Enum* Schema::find_enum(std::string_view name) const noexcept { return find_in(*root().enums(), name); }

FieldsView Schema::fields(const reflection::Object& type) const noexcept {
  const auto found = content_->fields.find(&type);
  return found == content_->fields.end() ? FieldsView{} : FieldsView{found->second};
}

const reflection::Object& Schema::object_of(const reflection::Type& type) const noexcept {
  return *root().objects()->Get(static_cast<std::uint32_t>(type.index()));
}

const reflection::Enum* Schema::enum_of(const reflection::Type& type) const noexcept {
  const reflection::BaseType base = element_of(type);
  if (type.index() < 0 || !(is_scalar(base) || base == reflection::Union)) return nullptr;
  return root().enums()->Get(static_cast<std::uint32_t>(type.index()));
}

const reflection::EnumVal* value_of(const reflection::Enum& type, std::int64_t value) noexcept {
  const bool is_unsigned = type.underlying_type()->base_type() == reflection::ULong;
  const auto less = [is_unsigned](std::int64_t a, std::int64_t b) {
    return is_unsigned ? static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b) : a < b;
  };
  const auto found = std::lower_bound(type.values()->begin(), type.values()->end(), value,
                                      [&](const auto* entry, std::int64_t wanted) { return less(entry->value(), wanted); });
  return found != type.values()->end() && found->value() == value ? *found : nullptr;
}

std::size_t size_of(reflection::BaseType type) noexcept {
  switch (type) {
    case reflection::UType:
    case reflection::Bool:
    case reflection::Byte:
    case reflection::UByte: return 1;
    case reflection::Short:
    case reflection::UShort: return 2;
    case reflection::Long:
    case reflection::ULong:
    case reflection::Double: return 8;
    default: return 4;
  }
}

}  // namespace midplane::inline v0::schema
