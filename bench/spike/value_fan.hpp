#pragma once
/// 64 bytes copied into each reader's lane. The two candidates differ in the lane alone:
///   bool fits(unsigned count)             the sender asks before it pushes
///   void push(const Payload*, unsigned)
///   unsigned drain(look)                  all that is there

#include <array>
#include <memory>
#include <vector>

#include "spike/lane_question.hpp"

namespace midplane::bench {

template <class Lane>
class ValueFan {
 public:
  ValueFan(unsigned readers, ValueFan*) {
    for (unsigned reader = 0; reader < readers; ++reader) lanes_.push_back(std::make_unique<Lane>());
  }

  bool send(const Numbers& numbers) noexcept {
    for (const auto& lane : lanes_)
      if (!lane->fits(numbers.count)) return false;
    std::array<Payload, 16> burst;
    for (unsigned at = 0; at < numbers.count; ++at) write(burst[at], numbers.first + at, numbers.sender);
    for (const auto& lane : lanes_) lane->push(burst.data(), numbers.count);
    return true;
  }
  template <class Look>
  unsigned drain(unsigned reader, Look&& look) noexcept {
    return lanes_[reader]->drain(look);
  }
  unsigned drain_into(Frame& frame) noexcept {
    return lanes_.front()->drain([&frame](const Payload& payload) { frame.add(payload); });
  }

 private:
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace midplane::bench
