#pragma once
/// Median and spread of a few figures.

#include <algorithm>
#include <vector>

namespace midplane::bench {

/// 0 when there are none.
[[nodiscard]] inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The largest minus the smallest, as a part of the median.
[[nodiscard]] inline double spread(const std::vector<double>& values) {
  const double centre = median(values);
  if (values.empty() || centre == 0) return 0;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return (*most - *least) / centre;
}

}  // namespace midplane::bench
