#pragma once
/// Which ids of one topic arrived, and how late. Ids are unique, so a missing one is a lost message and a second one a
/// duplicate: neither may happen without a reason.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hostwatch {

/// What arrived of one topic from one run of its agent.
class Ledger {
 public:
  /// `number` is the link's; a gap tells which numbers will not come.
  void note(std::uint64_t id, std::uint64_t number, double latency_us) {
    if (++seen_[id] > 1) ++duplicates_;
    ahead_ = static_cast<std::int64_t>(id - number);
    latencies_us_.push_back(latency_us);
  }
  void gap(std::uint64_t first, std::uint64_t last) { gaps_.emplace_back(first, last); }

  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::uint64_t last() const { return seen_.empty() ? 0 : seen_.rbegin()->first; }
  [[nodiscard]] const std::vector<double>& latencies_us() const { return latencies_us_; }
  /// Of the ids `first` to `last`, those that never arrived.
  [[nodiscard]] std::uint64_t missing(std::uint64_t first, std::uint64_t last) const {
    if (first == 0 || last < first) return 0;
    return last - first + 1 - delivered_between(first, last);
  }
  /// Of these, those that lie in a gap.
  [[nodiscard]] std::uint64_t missing_in_gaps(std::uint64_t first, std::uint64_t last) const {
    std::uint64_t count = 0;
    for (std::uint64_t id = std::max<std::uint64_t>(first, 1); id <= last; ++id) count += in_gap(id) && !seen_.contains(id);
    return count;
  }
  /// Arrived although a gap said that they would not.
  [[nodiscard]] std::uint64_t delivered_in_gaps() const {
    return static_cast<std::uint64_t>(
        std::count_if(seen_.begin(), seen_.end(), [this](const auto& entry) { return in_gap(entry.first); }));
  }
  [[nodiscard]] std::uint64_t delivered_between(std::uint64_t first, std::uint64_t last) const {
    return static_cast<std::uint64_t>(
        std::count_if(seen_.begin(), seen_.end(), [=](const auto& entry) { return entry.first >= first && entry.first <= last; }));
  }

 private:
  [[nodiscard]] bool in_gap(std::uint64_t id) const {
    const std::uint64_t number = id - static_cast<std::uint64_t>(ahead_);
    return std::any_of(gaps_.begin(), gaps_.end(), [=](const auto& gap) { return gap.first <= number && number <= gap.second; });
  }

  std::map<std::uint64_t, int> seen_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps_;
  std::vector<double> latencies_us_;
  std::int64_t ahead_ = 0;  ///< of the link's number is the id
  std::uint64_t duplicates_ = 0;
};

/// What became of the samples of one topic, or of several in one line.
struct TopicResult {
  std::string topic;
  std::string type;
  std::string path;
  unsigned run = 1;  ///< 2: of the agent after its first restart
  std::uint64_t offered = 0;
  std::uint64_t delivered = 0;
  std::uint64_t missing = 0;
  std::uint64_t duplicates = 0;               ///< and what arrived out of a gap
  std::map<std::string, std::uint64_t> lost;  ///< by reason: `gap`, `killed`, or that of the bus that lost it
  std::vector<double> latencies_us;

  [[nodiscard]] double latency_us(double quantile) const {
    if (latencies_us.empty()) return 0;
    std::vector<double> sorted = latencies_us;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }
  /// Every id is accounted for: what was offered arrived once, or is missing under a counted reason.
  [[nodiscard]] bool adds_up() const {
    std::uint64_t explained = 0;
    for (const auto& [reason, count] : lost) explained += count;
    return duplicates == 0 && missing == explained && offered == delivered + missing;
  }
};

}  // namespace hostwatch
