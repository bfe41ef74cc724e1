#pragma once
/// Seeded defects, in builds with -Dmutants=true only: scripts/mutants.txt lists them, MIDPLANE_MUTANT chooses one.

#include <cstdlib>

namespace midplane::inline v0::base {

#ifdef MIDPLANE_MUTANTS
inline bool has_defect(int number) noexcept {
  static const int chosen = [] {
    const char* text = std::getenv("MIDPLANE_MUTANT");
    return text ? std::atoi(text) : 0;
  }();
  return chosen == number;
}
#else
constexpr bool has_defect(int) noexcept { return false; }
#endif

}  // namespace midplane::inline v0::base
