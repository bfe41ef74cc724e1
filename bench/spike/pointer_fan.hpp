#pragma once
/// One envelope, counted once per reader, and its pointer into each reader's lane. The three pointer
/// candidates differ in the lane alone:
///   bool fits(unsigned count)             the sender asks before it pushes
///   void push(Envelope* const*, unsigned) that many fit
///   unsigned pop(Envelope** into)         at most `burst_max`
///   void popped_one()                     a message has left its place

#include <array>
#include <memory>
#include <vector>

#include "spike/envelope_pool.hpp"
#include "spike/lane_question.hpp"

namespace midplane::bench {

inline constexpr unsigned burst_max = 64;

template <class Lane>
class PointerFan {
 public:
  PointerFan(unsigned readers, PointerFan* shared) : pool_{2 * lane_messages} {
    for (unsigned reader = 0; reader < readers; ++reader)
      lanes_.push_back(shared != nullptr && Lane::is_shared ? shared->lanes_[reader]
                                                            : std::make_shared<Lane>());
    drains_ = shared == nullptr || !Lane::is_shared;
  }

  bool send(const Numbers& numbers) noexcept {
    for (const auto& lane : lanes_)
      if (!lane->fits(numbers.count)) return false;
    while (held_ < numbers.count) {
      Envelope* const envelope = pool_.take(static_cast<std::uint32_t>(lanes_.size()));
      if (envelope == nullptr) return false;
      burst_[held_++] = envelope;
    }
    held_ = 0;
    for (unsigned at = 0; at < numbers.count; ++at)
      write(burst_[at]->payload, numbers.first + at, numbers.sender);
    for (const auto& lane : lanes_) lane->push(burst_.data(), numbers.count);
    return true;
  }

  template <class Look>
  unsigned drain(unsigned reader, Look&& look) noexcept {
    if (!drains_) return 0;
    std::array<Envelope*, burst_max> batch;
    unsigned total = 0;
    Lane& lane = *lanes_[reader];
    for (unsigned found = 1; found != 0 && total < lane_messages; total += found) {
      found = lane.pop(batch.data());
      for (unsigned at = 0; at < found; ++at) {
        look(batch[at]->payload);
        lane.popped_one();
        chain_.release(batch[at]);
      }
    }
    chain_.flush();
    return total;
  }
  unsigned drain_into(Frame& frame) noexcept {
    return drain(0, [&frame](const Payload& payload) { frame.add(payload); });
  }

 private:
  EnvelopePool pool_;
  std::vector<std::shared_ptr<Lane>> lanes_;
  std::array<Envelope*, burst_max> burst_{};
  unsigned held_ = 0;
  bool drains_ = true;
  alignas(128) Chain chain_;
};

}  // namespace midplane::bench
