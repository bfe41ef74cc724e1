#pragma once
/// Every allocation of every thread of this process, counted. The program that links it defines `malloc` and
/// its kin.

#include <cstdint>

namespace midplane::bench {

/// Calls of malloc, calloc, realloc and the aligned forms so far; operator new ends in one of them.
[[nodiscard]] std::uint64_t allocations() noexcept;

}  // namespace midplane::bench
