#pragma once
/// Which ids of one topic arrived, and how late. Ids are unique, so a missing one is a lost message and a second one a
/// duplicate: neither may happen without a reason.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hostwatch {

class Ledger {
 public:
  void note(std::uint64_t id, double latency_us) {
    if (++seen_[id] > 1) ++duplicates_;
    latencies_us_.push_back(latency_us);
  }
  [[nodiscard]] std::uint64_t delivered() const { return latencies_us_.size(); }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  /// Of the ids `first` to `last`, those that never arrived.
  [[nodiscard]] std::uint64_t missing(std::uint64_t first, std::uint64_t last) const {
    if (first == 0) return 0;
    std::uint64_t count = 0;
    for (std::uint64_t id = first; id <= last; ++id) count += seen_.count(id) == 0;
    return count;
  }
  [[nodiscard]] std::uint64_t delivered_between(std::uint64_t first, std::uint64_t last) const {
    return static_cast<std::uint64_t>(
        std::count_if(seen_.begin(), seen_.end(), [=](const auto& entry) { return entry.first >= first && entry.first <= last; }));
  }
  [[nodiscard]] double latency_us(double quantile) const {
    if (latencies_us_.empty()) return 0;
    std::vector<double> sorted = latencies_us_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }

 private:
  std::map<std::uint64_t, int> seen_;
  std::vector<double> latencies_us_;
  std::uint64_t duplicates_ = 0;
};

/// One line of the table at the end.
struct TopicResult {
  std::string topic;
  std::string type;
  std::string path;
  std::uint64_t offered = 0;
  std::uint64_t delivered = 0;
  std::uint64_t missing = 0;
  std::uint64_t duplicates = 0;
  std::map<std::string, std::uint64_t> lost;  ///< by reason, counted by the bus that lost it
  double p50_us = 0;
  double p99_us = 0;

  /// Every id is accounted for: what was offered arrived once, or is missing under a counted reason.
  [[nodiscard]] bool adds_up() const {
    std::uint64_t explained = 0;
    for (const auto& [reason, count] : lost) explained += count;
    return duplicates == 0 && missing == explained && offered == delivered + missing;
  }
};

}  // namespace hostwatch
