#pragma once
/// Options that say how many.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

namespace midplane::tool {

/// Digits only, so that a number means what it says: a leading zero would make it octal.
inline CLI::Validator at_least_one() {
  const auto refusal = [](const std::string& text) {
    const bool digits = std::all_of(text.begin(), text.end(), [](char letter) { return letter >= '0' && letter <= '9'; });
    const bool counts = digits && !text.empty() && text.size() <= 18 && text[0] != '0';
    return counts ? std::string{} : "\"" + text + "\" is no count: write a whole number from 1 on, like 10";
  };
  return CLI::Validator{refusal, "N", "at least one"};
}

}  // namespace midplane::tool
