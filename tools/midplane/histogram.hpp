#pragma once
/// Durations counted in steps of less than 2 %, so that any quantile can be asked for afterwards.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace midplane::tool {

class Histogram {
 public:
  void add(std::int64_t ns) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
    ++counts_[index_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  /// The smallest bound that this part of all values does not pass; 0 without any.
  [[nodiscard]] std::uint64_t quantile(double part) const noexcept {
    const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(part * static_cast<double>(count_) + 0.5));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted) return std::min(bound_of(i), max_);
    }
    return max_;
  }
  struct Row {
    std::uint64_t up_to;
    std::uint64_t count;
  };
  /// By powers of two, from the first that holds something to the last.
  [[nodiscard]] std::vector<Row> rows() const {
    std::vector<Row> rows;
    // Not beyond the largest value, which was signed: the last bounds have no power of two above them.
    for (std::size_t i = 0; i <= index_of(max_); ++i) {
      if (rows.empty() && counts_[i] == 0) continue;
      const std::uint64_t up_to = std::bit_ceil(bound_of(i));
      if (rows.empty() || rows.back().up_to != up_to) rows.push_back({up_to, 0});
      rows.back().count += counts_[i];
    }
    return rows;
  }

 private:
  static constexpr unsigned step_bits = 6;
  static constexpr std::size_t steps = std::size_t{1} << step_bits;

  static std::size_t index_of(std::uint64_t value) noexcept {
    if (value < steps) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - step_bits - 1;
    return (shift + 1) * steps + static_cast<std::size_t>(value >> shift) - steps;
  }
  static std::uint64_t bound_of(std::size_t index) noexcept {
    if (index < steps) return index;
    const std::size_t shift = index / steps - 1;
    return ((index % steps + steps + 1) << shift) - 1;
  }

  std::array<std::uint64_t, steps*(64 - step_bits + 1)> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace midplane::tool
