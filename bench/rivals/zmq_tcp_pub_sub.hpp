#pragma once
/// Rival: libzmq over tcp, a PUB in this process, SUB sockets in one or several others, each with a
/// connection of its own.

#include <memory>

#include "rivals/zmq_tcp.hpp"

namespace midplane::bench {

class ZmqTcpPubSub {
 public:
  static constexpr const char* role = "zmq_sub";

  ZmqTcpPubSub(unsigned processes, unsigned sockets_each, std::size_t bytes) : send_{bytes} {
    pub_.set(ZMQ_XPUB_NODROP, 1);   // waits at the high-water mark instead of dropping
    pub_.set(ZMQ_XPUB_VERBOSE, 1);  // tells every subscription, also equal ones
    const std::string endpoint = bind_tcp(pub_);
    for (unsigned index = 0; index < processes; ++index)
      receivers_.add(
          {role, endpoint, std::to_string(sockets_each), std::to_string(index), std::to_string(bytes)});
    std::array<char, 8> subscription{};
    for (unsigned seen = 0; seen < processes * sockets_each; ++seen)
      must(zmq_recv(pub_.get(), subscription.data(), subscription.size(), 0) >= 0, "subscriptions");
  }

  double run(std::uint64_t messages) {
    return receivers_.run(messages, [this](std::uint64_t count) {
      for (std::uint64_t at = 0; at < count; ++at) send_(pub_, at);
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return receivers_.lost(); }
  [[nodiscard]] double far_cpu_seconds() const { return receivers_.far_cpu_seconds(); }

 private:
  Pinned pinned_{0};
  ZmqContext context_{1};
  ZmqSocket pub_{context_, ZMQ_XPUB, zmq_tcp_high_water};
  ZmqSender send_;
  Receivers receivers_;
};

/// SUB sockets of one process, drained by one thread.
class ZmqSubscribers {
 public:
  ZmqSubscribers(const std::string& endpoint, std::size_t count, std::size_t bytes) {
    for (std::size_t index = 0; index < count; ++index) {
      sockets_.push_back(std::make_unique<ZmqSocket>(context_, ZMQ_SUB, zmq_tcp_high_water));
      sockets_.back()->connect(endpoint.c_str());
      sockets_.back()->subscribe_all();
      readers_.push_back(std::make_unique<ZmqReader>(bytes));
      items_.push_back({sockets_.back()->get(), 0, ZMQ_POLLIN, 0});
    }
  }

  Outcome receive(std::uint64_t messages) {
    for (const auto& reader : readers_) reader->restart();
    std::uint64_t left = messages * sockets_.size();
    while (left != 0) {
      const std::uint64_t before = left;
      // An empty look costs about as much as a message, so a socket is emptied before the next one is asked.
      for (std::size_t index = 0; index < sockets_.size(); ++index)
        while (left != 0 && readers_[index]->read(*sockets_[index], ZMQ_DONTWAIT)) --left;
      if (left == before && !wait() && all_sent()) break;
    }
    Outcome outcome{.ended = now_seconds(), .lost = left};
    for (const auto& reader : readers_) outcome.lost += reader->lost();
    return outcome;
  }

 private:
  bool wait() {
    return zmq_poll(items_.data(), static_cast<int>(items_.size()),
                    static_cast<long>(patience_seconds * 1000)) > 0;
  }

  ZmqContext context_{1};
  std::vector<std::unique_ptr<ZmqSocket>> sockets_;
  std::vector<std::unique_ptr<ZmqReader>> readers_;
  std::vector<zmq_pollitem_t> items_;
};

/// `words`: role, endpoint, sockets, index, bytes.
inline int subscribe_to(const std::vector<std::string>& words) {
  pin_receiver(static_cast<unsigned>(std::stoul(words[3])));
  ZmqSubscribers subscribers{words[1], std::stoul(words[2]), std::stoul(words[4])};
  return serve_runs([&subscribers](std::uint64_t messages) { return subscribers.receive(messages); });
}

}  // namespace midplane::bench
