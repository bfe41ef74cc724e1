#pragma once
/// Seeded defects prove that a test can fail. Only a build with -Dmutants=true has them, and MIDPLANE_MUTANT chooses one
/// for the whole run by its number; scripts/mutants.txt says what each breaks.

#ifdef MIDPLANE_MUTANTS
#include <cstdlib>
#endif

namespace midplane::inline v0::base {

/// 1 to 99 are drop reasons that are not counted: the reason's value + 1.
enum class Defect : int {
  loss_without_number = 101,
  joined_before_what_waits = 102,
  grant_counted_twice = 103,
  frame_number_unchecked = 104,
  reply_of_another = 105,
  heartbeat_without_numbers = 106,
  retained_again = 107,
  group_gets_all = 108,
  deadline_not_reduced = 109,
  unsubscribe_skipped = 110,
  gap_off_by_one = 111,
  bound_off_by_one = 112,
  restart_not_told = 113,
  series_ignored = 114,
  piece_too_long = 201,
  name_one_too_large = 202,
  record_beyond_frame = 203,
};

#ifdef MIDPLANE_MUTANTS
inline bool defect(int number) noexcept {
  static const int chosen = [] {
    const char* text = std::getenv("MIDPLANE_MUTANT");
    return text ? std::atoi(text) : 0;
  }();
  return chosen == number;
}
inline bool defect(Defect one) noexcept { return defect(static_cast<int>(one)); }
#else
constexpr bool defect(int) noexcept { return false; }
constexpr bool defect(Defect) noexcept { return false; }
#endif

}  // namespace midplane::inline v0::base
