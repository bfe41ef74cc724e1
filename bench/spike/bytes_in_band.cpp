// Candidate c: a byte ring whose length word commits. The sender clears the next length before it sets this
// one, so the receiver reads one line per message and no index; where it is it says once per drain.

#include <cstring>

#include "spike/value_fan.hpp"

namespace midplane::bench {
namespace {

class ByteRing {
 public:
  [[nodiscard]] bool fits(unsigned count) noexcept {
    // One record stays clear: its length is the receiver's end mark.
    const std::uint64_t end = tail_ + (count + 1) * record_bytes;
    if (end - head_seen_ > ring_bytes) head_seen_ = head_.load(std::memory_order_acquire);
    return end - head_seen_ <= ring_bytes;
  }
  void push(const Payload* first, unsigned count) noexcept {
    length_at(tail_ + count * record_bytes).store(0, std::memory_order_relaxed);
    // The first length is set last: the burst appears as a whole.
    for (unsigned at = count; at-- != 0;) {
      std::memcpy(place(tail_ + at * record_bytes) + length_bytes, &first[at], sizeof(Payload));
      length_at(tail_ + at * record_bytes).store(sizeof(Payload), std::memory_order_release);
    }
    tail_ += count * record_bytes;
  }
  template <class Look>
  unsigned drain(Look&& look) noexcept {
    unsigned found = 0;
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    for (; found < lane_messages; ++found, head += record_bytes) {
      if (length_at(head).load(std::memory_order_acquire) == 0) break;
      look(*reinterpret_cast<const Payload*>(place(head) + length_bytes));
    }
    if (found != 0) head_.store(head, std::memory_order_release);
    return found;
  }

 private:
  // Payloads start at multiples of 16.
  static constexpr std::uint64_t length_bytes = 16, record_bytes = 80,
                                 ring_bytes = record_bytes * (lane_messages + 1);
  std::byte* place(std::uint64_t position) noexcept { return bytes_ + position % ring_bytes; }
  std::atomic_ref<std::uint64_t> length_at(std::uint64_t position) noexcept {
    return std::atomic_ref{*reinterpret_cast<std::uint64_t*>(place(position))};
  }

  alignas(128) std::uint64_t tail_ = 0, head_seen_ = 0;  // the sender's
  alignas(128) std::atomic<std::uint64_t> head_{0};      // the receiver's
  alignas(128) std::byte bytes_[ring_bytes]{};
};

}  // namespace

Candidate bytes_in_band() { return {"c  bytes, in-band length", &deliver<ValueFan<ByteRing>>}; }

}  // namespace midplane::bench
