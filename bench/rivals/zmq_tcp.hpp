#pragma once
/// What the libzmq rivals over tcp share: sockets at a port of the system's choice, messages of any size
/// whose first and last word the reader checks.

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "harness/far_run.hpp"
#include "rivals/zmq_sockets.hpp"

namespace midplane::bench {

/// Messages that may wait at each end. Nothing is lost: a sender waits at it. Larger ones and none were
/// slower.
inline constexpr int zmq_tcp_high_water = 1000;

/// The same for messages of that size: not more than 64 MiB wait.
inline int high_water_of(std::size_t bytes) {
  return static_cast<int>(std::min<std::size_t>(zmq_tcp_high_water, (std::size_t{64} << 20) / bytes));
}

/// Binds to a free port of loopback and says which. From then on nobody waits for a dead process without an
/// end.
inline std::string bind_tcp(ZmqSocket& socket) {
  constexpr int milliseconds_max = 30'000;
  socket.set(ZMQ_SNDTIMEO, milliseconds_max);
  socket.set(ZMQ_RCVTIMEO, milliseconds_max);
  socket.bind("tcp://127.0.0.1:*");
  std::array<char, 128> endpoint{};
  std::size_t size = endpoint.size();
  must(zmq_getsockopt(socket.get(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size) == 0, "endpoint");
  return endpoint.data();
}

/// Every word is written for every message and depends on its number.
inline void write_words(void* to, std::size_t bytes, std::uint64_t number) noexcept {
  auto* words = static_cast<std::uint64_t*>(to);
  for (std::uint64_t at = 0; at < bytes / sizeof number; ++at) words[at] = number + at;
}

/// Sends messages of one size: small ones are written beside and copied in by `zmq_send`, large ones in
/// place.
class ZmqSender {
 public:
  explicit ZmqSender(std::size_t bytes) : words_(bytes / sizeof(std::uint64_t)) {}
  void operator()(ZmqSocket& socket, std::uint64_t number) {
    const std::size_t bytes = words_.size() * sizeof number;
    if (bytes <= in_place_above) {
      write_words(words_.data(), bytes, number);
      must(zmq_send(socket.get(), words_.data(), bytes, 0) >= 0, "send");
      return;
    }
    zmq_msg_t message;
    must(zmq_msg_init_size(&message, bytes) == 0, "memory");
    write_words(zmq_msg_data(&message), bytes, number);
    must(zmq_msg_send(&message, socket.get(), 0) >= 0, "send");
  }

 private:
  static constexpr std::size_t in_place_above = 4096;
  std::vector<std::uint64_t> words_;
};

/// The reader of one socket's messages.
class ZmqReader {
 public:
  explicit ZmqReader(std::size_t bytes) : bytes_{bytes} { zmq_msg_init(&message_); }
  ZmqReader(const ZmqReader&) = delete;
  ~ZmqReader() { zmq_msg_close(&message_); }

  /// False when nothing came in time. Counts what is not whole or out of turn; who waits for a number of
  /// messages knows what is missing.
  bool read(ZmqSocket& socket, int flags) {
    if (zmq_msg_recv(&message_, socket.get(), flags) < 0) return false;
    const std::size_t size = zmq_msg_size(&message_);
    const auto* data = static_cast<const char*>(zmq_msg_data(&message_));
    std::uint64_t first = 0, last = 0;
    if (size == bytes_) {
      std::memcpy(&first, data, sizeof first);
      std::memcpy(&last, data + size - sizeof last, sizeof last);
    }
    lost_ += size != bytes_ || first < next_ || last - first != size / sizeof last - 1 ? 1 : 0;
    next_ = first + 1;
    return true;
  }
  void restart() { next_ = lost_ = 0; }
  /// Of the message read last.
  [[nodiscard]] std::uint64_t number() const { return next_ - 1; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  zmq_msg_t message_;
  std::size_t bytes_;
  std::uint64_t next_ = 0, lost_ = 0;
};

}  // namespace midplane::bench
