#pragma once
/// The test's own book of messages: an id is noted when `publish` is called and when a handler sees it. What is missing
/// then has to be explained by the library's counters, and by nothing but them.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include <midplane/midplane.hpp>

namespace midplane::test {

class Ledger {
 public:
  explicit Ledger(std::size_t ids) : seen_(ids) {}

  /// Before the publish that carries `id`: one of each subscription that has to explain it.
  void offered(std::uint64_t subscriptions = 1) noexcept { offered_ += subscriptions; }
  void refused(std::uint64_t subscriptions = 1) noexcept { offered_ -= subscriptions; }
  /// First thing in a handler.
  void entered(std::uint64_t id) noexcept {
    if (seen_[id].fetch_add(1, std::memory_order_relaxed) != 0) ++repeated_;
    ++entered_;
  }
  /// The handler is about to throw: it entered, but it counts as lost.
  void failed() noexcept { ++failed_; }

  [[nodiscard]] std::uint64_t offered_total() const noexcept { return offered_; }
  [[nodiscard]] std::uint64_t returned() const noexcept { return entered_ - failed_; }
  [[nodiscard]] std::uint64_t missing() const noexcept { return offered_ - returned(); }
  [[nodiscard]] std::uint64_t repeated() const noexcept { return repeated_; }

 private:
  std::vector<std::atomic<std::uint8_t>> seen_;
  std::atomic<std::uint64_t> offered_{0};
  std::atomic<std::uint64_t> entered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> repeated_{0};
};

inline std::uint64_t id_in(const AnyMessage& message) noexcept {
  std::uint64_t id = 0;
  std::memcpy(&id, message.bytes().data(), sizeof id);
  return id;
}

}  // namespace midplane::test
