#pragma once
/// Options that say how many.

#include <CLI/CLI.hpp>
#include <cstdint>

namespace midplane::tool {

/// At least one. The upper bound is so that a negative or endless number is refused, too.
inline CLI::Range at_least_one() { return {std::uint64_t{1}, std::uint64_t{1'000'000'000'000'000'000}}; }

}  // namespace midplane::tool
