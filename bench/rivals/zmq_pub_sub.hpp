#pragma once
/// Rival: libzmq inproc, one PUB to several SUB sockets that one thread drains in turn.

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/crew.hpp"
#include "rivals/zmq_sockets.hpp"

namespace midplane::bench {

class ZmqPubSub {
 public:
  explicit ZmqPubSub(unsigned subscribers) : pub_{context_, ZMQ_XPUB} {
    pub_.set(ZMQ_XPUB_NODROP, 1);  // waits at the high-water mark instead of dropping
    pub_.bind("inproc://rival");
    for (unsigned index = 0; index < subscribers; ++index) {
      sub_.push_back(std::make_unique<ZmqSocket>(context_, ZMQ_SUB));
      sub_.back()->subscribe_all();
      sub_.back()->connect("inproc://rival");
    }
    // An XPUB hands each new subscription to its user (only the first of equal ones unless verbose).
    while (pub_.receive([](const Payload&) {})) {
    }
  }

  double run(std::uint64_t messages) {
    std::vector<SequenceCheck> checks(sub_.size());
    const double seconds = run_together(
        1,
        [&](unsigned) {
          for (std::uint64_t at = 0; at < messages; ++at) pub_.send(at);
        },
        [&] { drain(messages, checks); });
    for (const SequenceCheck& check : checks) lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  // An empty look at a SUB costs about as much as a message, so a socket is emptied before the next one is
  // asked.
  void drain(std::uint64_t messages, std::vector<SequenceCheck>& checks) {
    for (std::uint64_t left = messages * sub_.size(); left != 0;) {
      const std::uint64_t before = left;
      for (std::size_t index = 0; index < sub_.size(); ++index)
        while (left != 0 && sub_[index]->receive(checks[index])) --left;
      if (left == before) relax(zmq_pause);
    }
  }

  ZmqContext context_;
  ZmqSocket pub_;
  std::vector<std::unique_ptr<ZmqSocket>> sub_;
  std::uint64_t lost_ = 0;
};

}  // namespace midplane::bench
