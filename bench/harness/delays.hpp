#pragma once
/// The delays of single messages.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace midplane::bench {

class Delays {
 public:
  void restart(std::uint64_t expected) {
    seconds_.clear();
    seconds_.reserve(expected);
  }
  void add(double seconds) { seconds_.push_back(seconds); }
  /// Microseconds that this part of them stays below; 0 when there are none.
  [[nodiscard]] double microseconds_at(double part) {
    if (seconds_.empty()) return 0;
    const auto at =
        seconds_.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(seconds_.size() - 1));
    std::nth_element(seconds_.begin(), at, seconds_.end());
    return *at * 1e6;
  }

 private:
  std::vector<double> seconds_;
};

}  // namespace midplane::bench
