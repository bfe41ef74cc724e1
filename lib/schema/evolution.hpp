#pragma once
/// The rules by which a type may change and still be read by the other side.

#include <string>
#include <vector>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

enum class ChangeKind : std::uint8_t {
  deleted_field, changed_id, changed_type, changed_default, changed_layout, newly_required, no_longer_required,
  deleted_type, changed_enum_value, deleted_enum_value, changed_underlying_type, changed_union_member,
  deleted_union_member, changed_kind,
};
[[nodiscard]] std::string_view name_of(ChangeKind kind) noexcept;

/// One incompatible change, with both sides' words and what to do.
struct Change {
  ChangeKind kind;
  std::string path;    ///< `market.Tick.price`
  std::string before;
  std::string after;
  std::string action;
};

/// Every change from `before` to `after` of one type and all it reaches that is not permitted. Empty: `after` is a
/// permitted evolution of `before`.
[[nodiscard]] std::vector<Change> incompatible_changes(const Schema& before, const reflection::Object& old_type,
                                                       const Schema& after, const reflection::Object& new_type);

}  // namespace midplane::inline v0::schema
