#pragma once
/// Telling the core that this thread looks at a word again and again.

namespace midplane::inline v0::base {

inline void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace midplane::inline v0::base
