#include "wire/checksum.hpp"

// Behind this only what is static may be defined: of an inline function of some header the linker might keep this copy,
// for processors without AVX2 too.
#ifdef MIDPLANE_HAS_XXH3_AVX2
#include <immintrin.h>
#pragma GCC target("avx2")
#define XXH_INLINE_ALL
#define XXH_VECTOR 2  // XXH_AVX2; g++ 12 defines no __AVX2__ behind the pragma
#include <xxhash.h>
static_assert(XXH_VECTOR == XXH_AVX2);

namespace midplane::inline v0::wire {

std::uint64_t xxh3_avx2(const void* bytes, std::size_t size) noexcept { return XXH3_64bits(bytes, size); }

}  // namespace midplane::inline v0::wire
#endif
