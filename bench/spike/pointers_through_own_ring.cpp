// Candidate a2: pooled counted envelopes by pointer through a ring of our own: positions of 64 bits that
// never wrap, each side remembers the other's, and the receiver says after every message that it has left.

#include <array>

#include "spike/pointer_fan.hpp"

namespace midplane::bench {
namespace {

class OwnRing {
 public:
  static constexpr bool is_shared = false;

  [[nodiscard]] bool fits(unsigned count) noexcept {
    const std::uint64_t end = tail_.load(std::memory_order_relaxed) + count;
    // The receiver's line is fetched only when the ring looks full: once in many messages.
    if (end - head_seen_ > lane_messages) head_seen_ = head_.load(std::memory_order_acquire);
    return end - head_seen_ <= lane_messages;
  }
  void push(Envelope* const* first, unsigned count) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (unsigned at = 0; at < count; ++at) slots_[(tail + at) % lane_messages] = first[at];
    tail_.store(tail + count, std::memory_order_release);
  }
  unsigned pop(Envelope** into) noexcept {
    if (taken_ == tail_seen_) tail_seen_ = tail_.load(std::memory_order_acquire);
    unsigned count = 0;
    for (; count < burst_max && taken_ != tail_seen_; ++count, ++taken_)
      into[count] = slots_[taken_ % lane_messages];
    return count;
  }
  void popped_one() noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  alignas(128) std::atomic<std::uint64_t> tail_{0};  // the sender's
  std::uint64_t head_seen_ = 0;
  alignas(128) std::atomic<std::uint64_t> head_{0};  // the receiver's
  std::uint64_t tail_seen_ = 0, taken_ = 0;
  alignas(128) std::array<Envelope*, lane_messages> slots_{};
};

}  // namespace

Candidate pointers_through_own_ring() { return {"a2 pointers, own ring", &deliver<PointerFan<OwnRing>>}; }

}  // namespace midplane::bench
