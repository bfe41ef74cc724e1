#pragma once
/// Attributes by which the object API uses a type of the user's.

#include <algorithm>
#include <array>
#include <string_view>

#include "contracts.hpp"

namespace midplane::gen {

/// Of a field, or of a table as a whole.
template <class Definition>
[[nodiscard]] bool has_own_type(const Definition& definition) {
  if (!definition.attributes()) return false;
  constexpr std::array<std::string_view, 5> changing{"cpp_type", "native_type", "native_inline", "native_custom_alloc",
                                                      "hash"};
  return std::any_of(definition.attributes()->begin(), definition.attributes()->end(), [&](const auto* one) {
    return std::find(changing.begin(), changing.end(), view_of(one->key())) != changing.end();
  });
}

}  // namespace midplane::gen
