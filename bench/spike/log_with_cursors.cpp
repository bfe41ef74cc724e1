// Candidate d: one log per sender that every reader walks with a cursor of its own. Records carry their
// header, so a link copies runs of them.

#include <algorithm>
#include <array>

#include "spike/lane_question.hpp"

namespace midplane::bench {
namespace {

class Log {
 public:
  Log(unsigned readers, Log*) : cursors_(readers) {}

  bool send(const Numbers& numbers) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail + numbers.count - slowest_seen_ > lane_messages) {
      slowest_seen_ = slowest();
      if (tail + numbers.count - slowest_seen_ > lane_messages) return false;
    }
    for (unsigned at = 0; at < numbers.count; ++at) {
      Record& record = records_[(tail + at) % lane_messages];
      record.number = numbers.first + at;
      record.name = 1;
      record.size = sizeof(Payload);
      write(record.payload, numbers.first + at, numbers.sender);
    }
    tail_.store(tail + numbers.count, std::memory_order_release);
    return true;
  }

  template <class Look>
  unsigned drain(unsigned reader, Look&& look) noexcept {
    Cursor& cursor = cursors_[reader];
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    const std::uint64_t head = cursor.position.load(std::memory_order_relaxed);
    for (std::uint64_t at = head; at != tail; ++at) look(records_[at % lane_messages].payload);
    if (tail != head) cursor.position.store(tail, std::memory_order_release);
    return static_cast<unsigned>(tail - head);
  }
  unsigned drain_into(Frame& frame) noexcept {
    Cursor& cursor = cursors_.front();
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    const std::uint64_t head = cursor.position.load(std::memory_order_relaxed);
    for (std::uint64_t at = head; at != tail;) {
      const std::uint64_t run = std::min(tail - at, lane_messages - at % lane_messages);
      frame.add_run(&records_[at % lane_messages], run);
      at += run;
    }
    if (tail != head) cursor.position.store(tail, std::memory_order_release);
    return static_cast<unsigned>(tail - head);
  }

 private:
  struct alignas(128) Cursor {
    std::atomic<std::uint64_t> position{0};
  };
  [[nodiscard]] std::uint64_t slowest() const noexcept {
    std::uint64_t least = UINT64_MAX;
    for (const Cursor& cursor : cursors_)
      least = std::min(least, cursor.position.load(std::memory_order_acquire));
    return least;
  }

  alignas(128) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t slowest_seen_ = 0;
  std::vector<Cursor> cursors_;
  alignas(128) std::array<Record, lane_messages> records_{};
};

}  // namespace

Candidate log_with_cursors() { return {"d  log, cursors", &deliver<Log>}; }

}  // namespace midplane::bench
