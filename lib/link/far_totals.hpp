#pragma once
/// What happened to everything offered to one far name: it outlives connections, so sums hold over a reconnect.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <midplane/stats.hpp>

namespace midplane::inline v0::link {

/// offered = acknowledged + dropped + what waits here + what is on its way. Acknowledged: the peer's link took it.
struct FarTotals {
  FarTotals(std::string its_peer, std::string its_name, std::string its_kind) noexcept
      : peer{std::move(its_peer)}, name{std::move(its_name)}, kind{std::move(its_kind)} {}

  std::string peer;
  std::string name;
  std::string kind;  ///< "link" (a topic) or "link_service"
  std::atomic<std::uint64_t> offered{0};  ///< beside what the Tallies that live have counted
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> refused{0};
  std::array<std::atomic<std::uint64_t>, drop_reasons> dropped{};

  void drop(DropReason reason, std::uint64_t messages = 1) noexcept {
    dropped[static_cast<std::size_t>(reason)].fetch_add(messages, std::memory_order_relaxed);
  }
  /// Adds what `other`, which nobody changes any more, has counted.
  void add(const FarTotals& other) noexcept {
    offered += other.offered_in_all();
    acknowledged += other.acknowledged;
    refused += other.refused;
    for (std::size_t i = 0; i < drop_reasons; ++i) dropped[i] += other.dropped[i];
  }
  static void raise(std::atomic<std::uint64_t>& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t offered_in_all() const noexcept;

 private:
  friend class Tally;
  mutable std::mutex mutex_;
  class Tally* first_ = nullptr;
};

/// What one sink has offered, counted without a locked instruction: `raise` is called by one thread at a time.
class Tally {
 public:
  explicit Tally(std::shared_ptr<FarTotals> totals) noexcept : totals_{std::move(totals)} {
    const std::lock_guard lock{totals_->mutex_};
    next_ = std::exchange(totals_->first_, this);
  }
  Tally(const Tally&) = delete;
  ~Tally() {
    const std::lock_guard lock{totals_->mutex_};
    Tally** at = &totals_->first_;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
    totals_->offered += count_;
  }
  void raise() noexcept { count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

 private:
  friend struct FarTotals;
  const std::shared_ptr<FarTotals> totals_;
  Tally* next_ = nullptr;
  std::atomic<std::uint64_t> count_{0};
};

inline std::uint64_t FarTotals::offered_in_all() const noexcept {
  const std::lock_guard lock{mutex_};
  std::uint64_t sum = offered;
  for (const Tally* one = first_; one; one = one->next_) sum += one->count_;
  return sum;
}

}  // namespace midplane::inline v0::link
