#pragma once
/// A TCP line between two processes that can be cut, damaged and slowed down while they talk. One thread of its own;
/// every call below comes from the test's thread and holds for what arrives from then on.

#include <sys/types.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace midplane::test {

/// up: from whoever dialled the proxy to the port behind it.
enum class Way : std::uint8_t { up, down };

struct Flips {
  std::uint64_t every = 0;  ///< one bit in each so many bytes of one direction; 0: none
  std::uint64_t after = 0;  ///< bytes of a connection and direction that stay whole: the greeting of ZMTP takes 64
  std::uint64_t seed = 1;   ///< chooses the byte and the bit
};

class Proxy {
 public:
  /// Listens on a free port of 127.0.0.1. `socket_bytes` bounds the buffers of its sockets, so that back-pressure
  /// reaches the sender; 0: the system's.
  explicit Proxy(std::uint16_t to_port, int socket_bytes = 0);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string endpoint() const { return "tcp://127.0.0.1:" + std::to_string(port_); }

  /// A black hole: bytes, ends and resets vanish both ways, new connections are taken and hear nothing.
  void cut();
  /// A black hole in one direction only.
  void half_open(Way swallowed);
  /// Reads nothing more: buffers fill up to the senders. What was held goes on after `heal`.
  void hold();
  /// Ends cut, half_open, hold, byte_at_a_time, flips and rate. A connection that lost bytes is reset: it has a hole.
  void heal();
  /// RST to both sides of every connection.
  void reset();
  /// The same as soon as `bytes` more have been forwarded in that direction.
  void reset_after(Way way, std::uint64_t bytes);
  void byte_at_a_time();
  void flip_bits(Flips flips);
  /// Bytes per second in each direction of each connection.
  void rate(std::uint64_t bytes_per_second);

  struct Counts {
    std::array<std::uint64_t, 2> forwarded{};  ///< bytes, by Way
    std::array<std::uint64_t, 2> swallowed{};  ///< bytes, by Way
    std::uint64_t flipped = 0;
    std::uint64_t connections = 0;             ///< taken so far
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] std::uint64_t forwarded(Way way) const { return counts().forwarded[static_cast<std::size_t>(way)]; }
  [[nodiscard]] std::uint64_t swallowed(Way way) const { return counts().swallowed[static_cast<std::size_t>(way)]; }
  /// False when it does not come to that within the limit.
  bool until(const std::function<bool(const Counts&)>& done, std::chrono::milliseconds limit) const;

 private:
  struct Pipe {
    std::vector<char> held;
    std::uint64_t position = 0;  ///< bytes read so far
    std::uint64_t salt = 0;      ///< each connection is damaged elsewhere
    double tokens = 0;
    bool ended = false;          ///< no more to read
    bool end_told = false;
    bool holed = false;          ///< it lost bytes: nothing may follow them
  };
  struct Connection {
    std::array<int, 2> socket{-1, -1};  ///< who dialled; what lies behind
    std::array<Pipe, 2> pipe;           ///< by Way
    bool over = false;
  };
  struct Rules {
    std::array<bool, 2> swallow{};
    bool hold = false;
    bool single_bytes = false;
    Flips flips{};
    std::uint64_t bytes_per_second = 0;
  };

  void run();
  void wake() const;
  void take_connection();
  void step(Connection& connection, Way way, double elapsed);
  bool read_some(Connection& connection, Way way);
  bool write_some(Connection& connection, Way way);
  void damage(Pipe& pipe, char* bytes, std::size_t count);
  void end(Connection& connection, bool with_reset);
  [[nodiscard]] bool wants_to_read(const Connection& connection, Way way) const;

  const std::uint16_t to_port_;
  const int socket_bytes_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int bell_ = -1;
  mutable std::mutex mutex_;  ///< everything below
  Rules rules_;
  std::array<std::uint64_t, 2> reset_in_{};  ///< 0: not asked for
  std::vector<std::unique_ptr<Connection>> connections_;
  Counts counts_;
  mutable std::condition_variable counted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace midplane::test
