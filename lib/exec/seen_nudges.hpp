#pragma once
/// Which nudge the calling thread has seen of which manual executor. A nudge that comes between a caller's look at
/// what it waits for and its `drive` must end that drive, also when another driver has been woken by it meanwhile.

#include <cstddef>
#include <cstdint>

namespace midplane::inline v0::exec {

class SeenNudges {
 public:
  /// True when `nudges` is not what this thread has seen last; from now on it is. More executors than entries driven in
  /// turn by one thread: the entry forgotten counts as none seen, and a drive returns early once more.
  static bool update(std::uint64_t executor, std::uint32_t nudges) noexcept {
    for (Entry& entry : entries_) {
      if (entry.executor != executor) continue;
      const bool changed = entry.nudges != nudges;
      entry.nudges = nudges;
      return changed;
    }
    entries_[next_++ % entries_max] = {executor, nudges};
    return nudges != 0;
  }

 private:
  struct Entry {
    std::uint64_t executor;
    std::uint32_t nudges;
  };
  static constexpr std::size_t entries_max = 16;
  static inline thread_local Entry entries_[entries_max]{};
  static inline thread_local std::size_t next_ = 0;
};

}  // namespace midplane::inline v0::exec
