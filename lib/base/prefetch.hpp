#pragma once
/// Asking for a cache line before it is needed. A hint: any address will do.

namespace midplane::inline v0::base {

inline void prefetch(const void* address) noexcept { __builtin_prefetch(address); }

/// For a line that another core has and this one will write. The builtin asks for a readable copy only, unless the
/// compiler was told of a newer processor; older ones take the instruction for nothing.
inline void prefetch_to_write(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace midplane::inline v0::base
