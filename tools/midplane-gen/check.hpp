#pragma once
/// May the new schema meet the old one on a bus?

#include <filesystem>
#include <string>

#include "flatc.hpp"
#include "stop.hpp"

namespace midplane::gen {

struct Comparison {
  std::filesystem::path before;
  std::filesystem::path after;
  std::string type;  ///< only this table and what it reaches; empty: all tables of `before`
  bool json = false;
};

/// Prints what it found; `ok` or `incompatible`.
[[nodiscard]] Exit check(const Comparison& comparison, const Flatc& flatc);

}  // namespace midplane::gen
