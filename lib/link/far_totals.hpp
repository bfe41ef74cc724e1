#pragma once
/// What happened to everything offered to one far name: it outlives connections, so sums hold over a reconnect.

#include <array>
#include <atomic>
#include <cstdint>
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
  std::atomic<std::uint64_t> offered{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> refused{0};
  std::array<std::atomic<std::uint64_t>, drop_reasons> dropped{};

  void drop(DropReason reason, std::uint64_t messages = 1) noexcept {
    dropped[static_cast<std::size_t>(reason)].fetch_add(messages, std::memory_order_relaxed);
  }
  /// Adds what `other`, which nobody changes any more, has counted.
  void add(const FarTotals& other) noexcept {
    offered += other.offered;
    acknowledged += other.acknowledged;
    refused += other.refused;
    for (std::size_t i = 0; i < drop_reasons; ++i) dropped[i] += other.dropped[i];
  }
  static void raise(std::atomic<std::uint64_t>& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }
};

}  // namespace midplane::inline v0::link
