#pragma once
/// Rival: libzmq over tcp, a DEALER that asks in this process, a ROUTER that answers in another.

#include "harness/delays.hpp"
#include "rivals/zmq_tcp.hpp"

namespace midplane::bench {

class ZmqTcpRequests {
 public:
  static constexpr const char* role = "zmq_router";

  ZmqTcpRequests(std::size_t bytes, unsigned outstanding) : send_{bytes}, read_{bytes}, asked_(outstanding) {
    server_.add({role, bind_tcp(dealer_)});
  }

  double run(std::uint64_t requests) {
    return server_.run(requests, [this](std::uint64_t count) {
      delays_.restart(count);
      read_.restart();
      for (std::uint64_t at = 0; at < count + asked_.size(); ++at) {
        double& asked = asked_[at % asked_.size()];
        if (at >= asked_.size()) {
          must(read_.read(dealer_, 0), "reply");
          delays_.add(now_seconds() - asked);
        }
        if (at < count) {
          asked = now_seconds();
          send_(dealer_, at);
        }
      }
      lost_ += read_.lost();
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] double far_cpu_seconds() const { return server_.far_cpu_seconds(); }
  [[nodiscard]] Delays& delays() { return delays_; }

 private:
  ZmqContext context_{1};
  ZmqSocket dealer_{context_, ZMQ_DEALER, zmq_tcp_high_water};
  ZmqSender send_;
  ZmqReader read_;
  std::vector<double> asked_;
  Delays delays_;
  Receivers server_;
  std::uint64_t lost_ = 0;
};

/// The other process: sends back what it gets, behind the sender's id, without a copy. `words`: role,
/// endpoint.
inline int route_back(const std::vector<std::string>& words) {
  const ZmqContext context{1};
  ZmqSocket router{context, ZMQ_ROUTER, zmq_tcp_high_water};
  router.set(ZMQ_RCVTIMEO, static_cast<int>(patience_seconds * 1000));
  router.connect(words[1].c_str());
  return serve_runs([&router](std::uint64_t messages) {
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    for (std::uint64_t left = messages; left != 0;) {
      if (zmq_msg_recv(&id, router.get(), 0) < 0) {
        if (all_sent()) break;
        continue;
      }
      --left;
      must(zmq_msg_recv(&body, router.get(), 0) >= 0, "body");
      must(zmq_msg_send(&id, router.get(), ZMQ_SNDMORE) >= 0, "id back");
      must(zmq_msg_send(&body, router.get(), 0) >= 0, "body back");
    }
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return Outcome{.ended = now_seconds()};
  });
}

}  // namespace midplane::bench
