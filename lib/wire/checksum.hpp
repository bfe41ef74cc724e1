#pragma once
/// XXH3 of 64 bits, by the widest instructions of this processor: with AVX2 two and a half times as quick as what
/// libxxhash is compiled for. Its own choice by processor is not in every libxxhash.

#include <cstddef>
#include <cstdint>
#include <span>

namespace midplane::inline v0::wire {

/// Any thread, also before `main`.
[[nodiscard]] std::uint64_t xxh3(std::span<const std::byte> bytes) noexcept;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MIDPLANE_HAS_XXH3_AVX2
/// Only where the processor has AVX2.
[[nodiscard]] std::uint64_t xxh3_avx2(const void* bytes, std::size_t size) noexcept;
#endif

}  // namespace midplane::inline v0::wire
