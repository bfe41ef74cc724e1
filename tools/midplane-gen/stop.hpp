#pragma once
/// How midplane-gen ends.

#include <string>
#include <utility>

namespace midplane::gen {

enum class Exit : int { ok = 0, usage = 2, bad_input = 3, cannot_write = 4, incompatible = 5 };

/// Thrown anywhere, caught in `main`, which prints the text and ends with the code.
struct Stop {
  Exit exit;
  std::string text;
};

[[noreturn]] inline void stop(Exit exit, std::string text) { throw Stop{exit, std::move(text)}; }

}  // namespace midplane::gen
