#pragma once
/// The rules by which a type may change and still be read by the other side.
///
/// Permitted: fields added (not required), fields deprecated (not required ones), fields renamed that keep id and type,
/// enum values and union members added, or renamed with the same number. Everything else is a Change below.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

enum class ChangeKind : std::uint8_t {
  deleted_field,
  changed_id,
  changed_type,
  changed_default,
  changed_layout,      ///< a struct's members, their places, its size or alignment
  newly_required,      ///< what older writers leave out is refused
  no_longer_required,  ///< what newer writers leave out is refused by older readers
  deleted_type,
  changed_enum_value,
  deleted_enum_value,
  changed_underlying_type,
  changed_union_member,
  deleted_union_member,
  changed_kind,  ///< a table became a struct, or an enum a union
};
[[nodiscard]] std::string_view name_of(ChangeKind kind) noexcept;

/// One incompatible change, with both sides' words and what to do.
struct Change {
  ChangeKind kind;
  std::string path;  ///< `market.Tick.price`
  std::string before;
  std::string after;
  std::string_view action;

  /// One line: `market.Tick.price: changed_type from long to int; action`.
  [[nodiscard]] std::string text() const;
};

/// Every change from `before` to `after` of one type and all it reaches that is not permitted. Empty: `after` is a
/// permitted evolution of `before`.
[[nodiscard]] std::vector<Change> incompatible_changes(const Schema& before, const reflection::Object& old_type,
                                                       const Schema& after, const reflection::Object& new_type);
/// The same for everything that `before` declares.
[[nodiscard]] std::vector<Change> incompatible_changes(const Schema& before, const Schema& after);

}  // namespace midplane::inline v0::schema
