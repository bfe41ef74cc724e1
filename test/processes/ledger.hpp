#pragma once
/// The test's book of one far subscription. A publisher numbers its own messages (ids); the link numbers what it offers
/// (numbers). Numbers must follow each other, each either delivered or inside a reported gap, and id minus number must
/// stay what it is as long as both buses live: so every gap says exactly which ids are missing.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace midplane::test {

class Ledger {
 public:
  /// Ids `first` to `last` of the publisher's lifetime `run`, in that order, the first with `number`.
  void delivered(std::uint64_t run, std::uint64_t first, std::uint64_t last, std::uint64_t number) {
    if (run != run_) {
      if (run_ != 0 && !changed_) fault("lifetime " + std::to_string(run) + " began without incarnation_changed");
      if (run < run_) fault("a message of an earlier lifetime");
      if (!changed_) forget();
      changed_ = false;
      run_ = run;
    }
    const std::uint64_t base = first - number;
    if (base_ && *base_ != base) fault("numbers began anew at id " + std::to_string(first));
    base_ = base;
    cover(number, number + (last - first), "delivered");
    delivered_ += last - first + 1;
  }
  void gap(std::uint64_t first, std::uint64_t last) {
    if (first == 0 || last < first) return fault("a gap of unknown size");
    cover(first, last, "gap");
    missing_ += last - first + 1;
  }
  void incarnation_changed() {
    ++changes_;
    changed_ = true;
    forget();
  }

  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t missing() const { return missing_; }  ///< in gaps
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] std::uint64_t run() const { return run_; }
  /// Of the lifetime that delivered last; 0: nothing yet.
  [[nodiscard]] std::uint64_t first_id() const { return base_ && next_ != 0 ? first_ + *base_ : 0; }
  [[nodiscard]] std::uint64_t last_id() const { return base_ && next_ != 0 ? next_ - 1 + *base_ : 0; }
  [[nodiscard]] bool covers(std::uint64_t run, std::uint64_t first, std::uint64_t last) const {
    return run_ == run && first_id() != 0 && first_id() <= first && last_id() >= last;
  }
  /// What broke a promise, first things first; empty: nothing did.
  [[nodiscard]] const std::string& faults() const { return faults_; }

 private:
  void cover(std::uint64_t first, std::uint64_t last, const char* how) {
    if (next_ == 0) first_ = first;
    else if (first > next_) fault(span(next_, first - 1) + " missing without a gap");
    else if (first < next_) fault(span(first, last) + " " + how + " behind " + std::to_string(next_ - 1));
    next_ = last + 1;
  }
  void forget() {
    base_.reset();
    first_ = next_ = 0;
  }
  static std::string span(std::uint64_t first, std::uint64_t last) {
    return "numbers " + std::to_string(first) + " to " + std::to_string(last);
  }
  void fault(const std::string& what) {
    if (faults_.size() < 1000) faults_ += what + "; ";
  }

  std::uint64_t run_ = 0;
  std::optional<std::uint64_t> base_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  bool changed_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t missing_ = 0;
  std::uint64_t changes_ = 0;
  std::string faults_;
};

}  // namespace midplane::test
