#pragma once
/// The bound of one mailbox: messages and payload bytes that may wait, from all lanes together.
///
/// Both counts are packed into one word, messages above bytes, and only ever added up: what waits is
/// `reserved - released` modulo 2^64, exact as long as the bounds fit their fields.
///
/// Memory orders: a lane writes slot i + capacity only with room it got from `reserve`, whose acquire load of
/// `released_` sees the release that followed the read of slot i. `released_` has one writer at a time.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/defect.hpp"

namespace midplane::inline v0::mailbox {

inline constexpr unsigned load_byte_bits = 40;
inline constexpr std::size_t bound_messages_max = std::size_t{1} << 23;
inline constexpr std::size_t bound_bytes_max = std::size_t{1} << 39;

/// Messages and bytes in one word.
using Load = std::uint64_t;
constexpr Load load_of(std::uint64_t messages, std::uint64_t bytes) noexcept {
  return (messages << load_byte_bits) + bytes;
}
constexpr std::uint64_t messages_in(Load load) noexcept { return load >> load_byte_bits; }
constexpr std::uint64_t bytes_in(Load load) noexcept { return load & ((Load{1} << load_byte_bits) - 1); }
constexpr bool fits(Load need, Load room) noexcept {
  return messages_in(need) <= messages_in(room) && bytes_in(need) <= bytes_in(room);
}

class Admission {
 public:
  Admission(std::size_t messages_max, std::size_t bytes_max) noexcept
      : bound_{load_of(messages_max + (base::defect(base::Defect::bound_off_by_one) ? 1 : 0), bytes_max)} {}

  /// Takes room for `load`; false, and nothing taken, when there is less. Any thread.
  bool reserve(Load load) noexcept {
    Load reserved = reserved_.load(std::memory_order_relaxed);
    do {
      const Load used = reserved - released_.load(std::memory_order_acquire);
      if (messages_in(used) + messages_in(load) > messages_in(bound_) ||
          bytes_in(used) + bytes_in(load) > bytes_in(bound_))
        return false;
    } while (!reserved_.compare_exchange_weak(reserved, reserved + load, std::memory_order_relaxed));
    return true;
  }
  /// Room that was taken and not used.
  void unreserve(Load load) noexcept { reserved_.fetch_sub(load, std::memory_order_relaxed); }
  /// Room of a message that has left the queue. The consumer only.
  void release(Load load) noexcept {
    released_.store(released_.load(std::memory_order_relaxed) + load, std::memory_order_release);
  }

  [[nodiscard]] Load bound() const noexcept { return bound_; }
  /// What is taken now: waiting messages and what lanes hold in advance.
  [[nodiscard]] Load used() const noexcept {
    const Load released = released_.load(std::memory_order_acquire);
    return reserved_.load(std::memory_order_relaxed) - released;
  }

 private:
  Load bound_;
  alignas(64) std::atomic<Load> reserved_{0};
  alignas(64) std::atomic<Load> released_{0};
};

}  // namespace midplane::inline v0::mailbox
