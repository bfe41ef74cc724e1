#pragma once
/// A frame of 64 KiB that records are copied into, as a link would: 24 bytes of header, 64 of payload, padded
/// to 16.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "harness/payload.hpp"

namespace midplane::bench {

struct alignas(16) Record {
  std::uint64_t number = 0;
  std::uint32_t name = 0, size = 0;
  std::uint64_t mark = 0;
  Payload payload;
  std::uint64_t padding = 0;
};
static_assert(sizeof(Record) == 96 && offsetof(Record, payload) == 24);

class Frame {
 public:
  void add(const Payload& payload) noexcept {
    if (used_ == capacity) flush();
    Record& record = records_[used_++];
    record.number = payload.words.front();
    record.name = 1;
    record.size = sizeof payload;
    record.mark = 0;
    std::memcpy(&record.payload, &payload, sizeof payload);
  }
  /// Records that have their headers already, in one copy.
  void add_run(const Record* first, std::size_t count) noexcept {
    while (count != 0) {
      if (used_ == capacity) flush();
      const std::size_t part = count < capacity - used_ ? count : capacity - used_;
      std::memcpy(&records_[used_], first, part * sizeof(Record));
      used_ += part;
      first += part;
      count -= part;
    }
  }
  /// Stands for sending it: every number is checked.
  void flush() noexcept {
    for (std::size_t at = 0; at < used_; ++at) check(records_[at].payload);
    used_ = 0;
  }

  SequenceCheck check;

 private:
  static constexpr std::size_t capacity = 65536 / sizeof(Record);
  std::array<Record, capacity> records_{};
  std::size_t used_ = 0;
};

}  // namespace midplane::bench
