#pragma once
/// Rival: libzmq inproc, one or several PUSH sockets into one PULL.

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/crew.hpp"
#include "rivals/zmq_sockets.hpp"

namespace midplane::bench {

class ZmqPushPull {
 public:
  explicit ZmqPushPull(unsigned senders) : pull_{context_, ZMQ_PULL} {
    pull_.bind("inproc://rival");
    for (unsigned index = 0; index < senders; ++index) {
      push_.push_back(std::make_unique<ZmqSocket>(context_, ZMQ_PUSH));
      push_.back()->connect("inproc://rival");
    }
  }

  /// Seconds for `messages`, an equal part from each sender.
  double run(std::uint64_t messages) {
    const auto senders = static_cast<unsigned>(push_.size());
    const std::uint64_t each = messages / senders;
    // The upper half of the number tells the sender.
    std::vector<SequenceCheck> checks(senders);
    const double seconds = run_together(
        senders,
        [&](unsigned index) {
          for (std::uint64_t at = 0; at < each; ++at)
            push_[index]->send((std::uint64_t{index} << sender_shift) | at);
        },
        [&] {
          const auto look = [&checks](Payload payload) {
            const std::uint64_t sender = payload.words.front() >> sender_shift;
            for (std::uint64_t& word : payload.words) word &= sequence_mask;
            checks[sender](payload);
          };
          for (std::uint64_t left = each * senders; left != 0;) {
            if (pull_.receive(look))
              --left;
            else
              relax(zmq_pause);
          }
        });
    for (const SequenceCheck& check : checks) lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  static constexpr unsigned sender_shift = 48;
  static constexpr std::uint64_t sequence_mask = (std::uint64_t{1} << sender_shift) - 1;

  ZmqContext context_;
  ZmqSocket pull_;
  std::vector<std::unique_ptr<ZmqSocket>> push_;
  std::uint64_t lost_ = 0;
};

}  // namespace midplane::bench
