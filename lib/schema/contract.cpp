#include "schema/contract.hpp"

#include <algorithm>
#include <new>
#include <string>

#include "schema/evolution.hpp"

namespace midplane::inline v0::schema {

Error mismatch(std::string_view detail) {
  return Error{ErrorCode::schema_mismatch, "the two sides' types do not agree; bring both to one schema or follow its rules of evolution"}
      .with(detail);
}

Error known_otherwise(std::string_view name, const Error& why) {
  const std::string detail = std::string{name}.append(": ").append(why.detail());
  if (why.code() != ErrorCode::schema_mismatch) return why.with(detail);
  return Error{ErrorCode::schema_mismatch, "this bus knows the name with another type (here) than is asked for (there); use one "
                                           "type, changed by the rules of evolution, or two names"}
      .with(detail);
}

Result<Schema> load_type(const TypeInfo& type) {
  auto schema = Schema::load(type.bfbs);
  if (!schema) return schema.error().with(std::string{type.name}.append(": ").append(schema.error().detail()));
  if (!schema->find(type.name))
    return Error{ErrorCode::invalid_schema, "the binary schema does not contain the type"}.with(type.name);
  return schema;
}

std::string disagreement(const Schema& here, const Schema& there, std::string_view type) {
  const auto forth = incompatible_changes(here, *here.find(type), there, *there.find(type));
  if (forth.empty()) return {};
  const auto back = incompatible_changes(there, *there.find(type), here, *here.find(type));
  if (back.empty()) return {};
  // What the younger side added counts as deleted the other way: the shorter list names the true reason.
  const bool turned = back.size() < forth.size();
  const Change& first = turned ? back.front() : forth.front();
  std::string detail = first.path + ": " + std::string{name_of(first.kind)} + ", here " + (turned ? first.after : first.before) +
                       ", there " + (turned ? first.before : first.after) + "; " + std::string{first.action};
  const std::size_t more = (turned ? back : forth).size() - 1;
  if (more > 0) detail += "; and " + std::to_string(more) + " more";
  return detail;
}

std::string seen_from_there(std::string_view detail) {
  std::string turned;
  while (!detail.empty()) {
    const std::size_t length = std::min(detail.find_first_of(" ,;:()"), detail.size());
    const std::string_view word = detail.substr(0, length);
    turned.append(word == "here" ? "there" : word == "there" ? "here" : word);
    turned.append(detail.substr(length, 1));
    detail.remove_prefix(std::min(length + 1, detail.size()));
  }
  return turned;
}

Result<void> agree(const TypeInfo& a, const TypeInfo& b) try {
  if (a.is_bytes() || b.is_bytes() || a.fingerprint == b.fingerprint) return ok();
  if (a.name != b.name) return mismatch(std::string{a.name} + " here, " + std::string{b.name} + " there");
  const auto one = load_type(a);
  if (!one) return one.error();
  const auto other = load_type(b);
  if (!other) return other.error();
  const std::string detail = disagreement(*one, *other, a.name);
  return detail.empty() ? ok() : Result<void>{mismatch(detail)};
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory to compare two types"};
}

}  // namespace midplane::inline v0::schema
