#pragma once
/// Rival: libzmq over tcp, one message at a time from a PUSH in this process to a PULL in another.

#include "harness/lone.hpp"
#include "rivals/zmq_tcp.hpp"

namespace midplane::bench {

class ZmqTcpLone {
 public:
  static constexpr const char* role = "zmq_lone";

  explicit ZmqTcpLone(std::size_t bytes) : send_{bytes} {
    receivers_.add({role, bind_tcp(push_), std::to_string(bytes)});
  }
  double run(std::uint64_t messages) {
    return receivers_.run(messages, [this](std::uint64_t count) {
      send_singly(count, [this](std::uint64_t sent_ns) { send_(push_, sent_ns); });
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return receivers_.lost(); }
  [[nodiscard]] double far_cpu_seconds() const { return receivers_.far_cpu_seconds(); }
  [[nodiscard]] double middle_us() const { return receivers_.middle_us(); }

 private:
  ZmqContext context_{1};
  ZmqSocket push_{context_, ZMQ_PUSH, zmq_tcp_high_water};
  ZmqSender send_;
  Receivers receivers_;
};

/// `words`: role, endpoint, bytes.
inline int pull_lone(const std::vector<std::string>& words) {
  const ZmqContext context{1};
  ZmqSocket pull{context, ZMQ_PULL, zmq_tcp_high_water};
  pull.set(ZMQ_RCVTIMEO, static_cast<int>(patience_seconds * 1000));
  pull.connect(words[1].c_str());
  ZmqReader reader{std::stoul(words[2])};
  LoneDelays delays;
  return serve_runs([&](std::uint64_t messages) {
    reader.restart();
    delays.restart(messages);
    while (delays.left() != 0)
      if (reader.read(pull, 0))
        delays.arrived(reader.number());
      else if (all_sent())
        break;
    Outcome outcome = delays.outcome();
    outcome.lost += reader.lost();
    return outcome;
  });
}

}  // namespace midplane::bench
