#include "schema/contract.hpp"

#include <new>
#include <string>

#include "schema/evolution.hpp"

namespace midplane::inline v0::schema {
namespace {

Error mismatch(std::string_view detail) {
  return Error{ErrorCode::schema_mismatch, "the two sides' types do not agree; bring both to one schema or follow its rules of evolution"}
      .with(detail);
}

Result<Schema> load(const TypeInfo& type) {
  auto schema = Schema::load(type.bfbs);
  if (!schema) return schema.error().with(std::string{type.name}.append(": ").append(schema.error().detail()));
  if (!schema->find(type.name))
    return Error{ErrorCode::invalid_schema, "the binary schema does not contain the type"}.with(type.name);
  return schema;
}

Result<void> compare(const TypeInfo& a, const TypeInfo& b) {
  auto one = load(a);
  if (!one) return one.error();
  auto other = load(b);
  if (!other) return other.error();
  const auto forth = incompatible_changes(*one, *one->find(a.name), *other, *other->find(b.name));
  if (forth.empty()) return ok();
  const auto back = incompatible_changes(*other, *other->find(b.name), *one, *one->find(a.name));
  if (back.empty()) return ok();
  // What the younger side added counts as deleted the other way: the shorter list names the true reason.
  const bool turned = back.size() < forth.size();
  const Change& first = turned ? back.front() : forth.front();
  std::string detail = first.path + ": " + std::string{name_of(first.kind)} + ", here " + (turned ? first.after : first.before) +
                       ", there " + (turned ? first.before : first.after) + "; " + std::string{first.action};
  const std::size_t more = (turned ? back : forth).size() - 1;
  if (more > 0) detail += "; and " + std::to_string(more) + " more";
  return mismatch(detail);
}

}  // namespace

Result<void> agree(const TypeInfo& a, const TypeInfo& b) try {
  if (a.is_bytes() || b.is_bytes() || a.fingerprint == b.fingerprint) return ok();
  if (a.name != b.name) return mismatch(std::string{a.name} + " here, " + std::string{b.name} + " there");
  return compare(a, b);
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory to compare two types"};
}

}  // namespace midplane::inline v0::schema
