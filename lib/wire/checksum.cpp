#include "wire/checksum.hpp"

#include <xxhash.h>

namespace midplane::inline v0::wire {
namespace {

std::uint64_t xxh3_plain(const void* bytes, std::size_t size) noexcept { return XXH3_64bits(bytes, size); }

using Xxh3 = std::uint64_t (*)(const void*, std::size_t) noexcept;
constinit Xxh3 chosen = xxh3_plain;

#ifdef MIDPLANE_HAS_XXH3_AVX2
[[maybe_unused]] const bool is_chosen = [] {
  if (__builtin_cpu_supports("avx2")) chosen = xxh3_avx2;
  return true;
}();
#endif

}  // namespace

std::uint64_t xxh3(std::span<const std::byte> bytes) noexcept { return chosen(bytes.data(), bytes.size()); }

}  // namespace midplane::inline v0::wire
