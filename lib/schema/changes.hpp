#pragma once
/// What is found while two schemas are compared, each pair of types once.

#include <set>
#include <utility>

#include "schema/evolution.hpp"

namespace midplane::inline v0::schema {

class Changes {
 public:
  void add(ChangeKind kind, std::string path, std::string before, std::string after);
  /// True the first time; recursive types end here.
  [[nodiscard]] bool is_new(const void* before, const void* after) { return seen_.emplace(before, after).second; }
  [[nodiscard]] std::vector<Change> take() && { return std::move(found_); }

 private:
  std::set<std::pair<const void*, const void*>> seen_;
  std::vector<Change> found_;
};

/// The values of an enum or the members of a union; the types of the members that stayed are the caller's to compare.
void compare_enums(const Schema& before, const reflection::Enum& old_type, const Schema& after,
                   const reflection::Enum& new_type, Changes& changes);

}  // namespace midplane::inline v0::schema
