#pragma once
/// The bound of one mailbox: messages and payload bytes that may wait, from all lanes together.
///
/// Both counts are packed into one word, messages above bytes, and only ever added up: what waits is
/// `reserved - released` modulo 2^64, exact as long as the bounds fit their fields.
///
/// Senders go by the `released_` that one of them saw last, and take its line away from the consumer only when that leaves no
/// room. A sender may stand still between any two of its steps, for as long as the counts need to come round. So it loads
/// `reserved_` before what it subtracts from it: it takes room only when `reserved_` is still the same, and what was subtracted
/// is then at most the bound away from it. (After exactly 2^24 messages without a byte it is the same, too.) And there is no
/// room only when `reserved_` was the same before and behind the look at `released_`: what others take and leave in between
/// would seem to fill the queue. `released_seen_` is only put forward, by who read it before `released_`.
///
/// Memory orders: a lane writes slot i + capacity only with room it got from `reserve`, whose acquire load of `released_`
/// sees the release that followed the read of slot i; whoever goes by what another one saw acquires it from that one.
/// `released_` has one writer at a time.

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

/// Between two steps of a sender, where a test may have it stand still.
struct NoPause {
  static void pause() noexcept {}
};

template <class Pause>
class BasicAdmission {
 public:
  BasicAdmission(std::size_t messages_max, std::size_t bytes_max) noexcept
      : bound_{load_of(messages_max + (base::defect(base::Defect::bound_off_by_one) ? 1 : 0), bytes_max)} {}

  /// Takes room for `load`; false, and nothing taken, when there is less. Any thread.
  bool reserve(Load load) noexcept {
    while (true) {
      Load reserved = reserved_.load(std::memory_order_acquire);
      Pause::pause();
      Load seen = released_seen_.load(std::memory_order_acquire);
      Pause::pause();
      if (!has_room(reserved - seen, load)) {
        const Load released = released_.load(std::memory_order_acquire);
        Pause::pause();
        if (!has_room(reserved - released, load)) {
          if (reserved_.load(std::memory_order_relaxed) == reserved) return false;
          continue;
        }
        released_seen_.compare_exchange_strong(seen, released, std::memory_order_release, std::memory_order_relaxed);
        Pause::pause();
      }
      if (reserved_.compare_exchange_weak(reserved, reserved + load, std::memory_order_relaxed)) return true;
    }
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
  [[nodiscard]] bool has_room(Load used, Load load) const noexcept {
    return messages_in(used) + messages_in(load) <= messages_in(bound_) && bytes_in(used) + bytes_in(load) <= bytes_in(bound_);
  }

  Load bound_;
  alignas(64) std::atomic<Load> reserved_{0};
  std::atomic<Load> released_seen_{0};  ///< by some sender: not more than `released_`
  alignas(64) std::atomic<Load> released_{0};
};

using Admission = BasicAdmission<NoPause>;

}  // namespace midplane::inline v0::mailbox
