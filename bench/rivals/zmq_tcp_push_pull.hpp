#pragma once
/// Rival: libzmq over tcp, a PUSH in this process, a PULL in another, each process with its I/O thread on one
/// core.

#include "rivals/zmq_tcp.hpp"

namespace midplane::bench {

class ZmqTcpPushPull {
 public:
  static constexpr const char* role = "zmq_pull";

  explicit ZmqTcpPushPull(std::size_t bytes) : push_{context_, ZMQ_PUSH, high_water_of(bytes)}, send_{bytes} {
    receivers_.add({role, bind_tcp(push_), std::to_string(bytes)});
  }

  double run(std::uint64_t messages) {
    return receivers_.run(messages, [this](std::uint64_t count) {
      for (std::uint64_t at = 0; at < count; ++at) send_(push_, at);
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return receivers_.lost(); }
  [[nodiscard]] double far_cpu_seconds() const { return receivers_.far_cpu_seconds(); }

 private:
  Pinned pinned_{0};
  ZmqContext context_{1};
  ZmqSocket push_;
  ZmqSender send_;
  Receivers receivers_;
};

/// `words`: role, endpoint, bytes.
inline int pull_from(const std::vector<std::string>& words) {
  pin_receiver(0);
  const ZmqContext context{1};
  const std::size_t bytes = std::stoul(words[2]);
  ZmqSocket pull{context, ZMQ_PULL, high_water_of(bytes)};
  pull.set(ZMQ_RCVTIMEO, static_cast<int>(patience_seconds * 1000));
  pull.connect(words[1].c_str());
  ZmqReader reader{bytes};
  return serve_runs([&](std::uint64_t messages) {
    reader.restart();
    std::uint64_t left = messages;
    while (left != 0)
      if (reader.read(pull, 0))
        --left;
      else if (all_sent())
        break;
    return Outcome{.ended = now_seconds(), .lost = reader.lost() + left};
  });
}

}  // namespace midplane::bench
