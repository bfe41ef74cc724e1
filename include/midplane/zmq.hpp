#pragma once
/// Links over ZeroMQ: TCP between hosts, Unix sockets within one. The library is libmidplane-zmq; no ZeroMQ type shows.
///
///     bus.attach(midplane::zmq::transport({.listen = "tcp://127.0.0.1:7400", .peers = "ipc:///run/app/b"}));
///
/// Each transport owns one ZeroMQ context (two threads of ZeroMQ) and, unless the executor is driven, one I/O thread.
/// After `fork` the child's handles of the parent's buses are inert; a bus opened in the child works.

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <midplane/extend/transport.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {
namespace zmq {

/// One address or several: `.listen = "tcp://127.0.0.1:7400"`, `.peers = {"tcp://db1:7400", "tcp://db2:7400"}`.
class Addresses : public std::vector<std::string> {
 public:
  /// None.
  Addresses() = default;
  /// Several.
  Addresses(std::initializer_list<std::string> several) : std::vector<std::string>(several) {}
  /// Several.
  Addresses(std::vector<std::string> several) : std::vector<std::string>(std::move(several)) {}
  /// One.
  Addresses(std::string one) { push_back(std::move(one)); }
  /// One.
  Addresses(std::string_view one) : Addresses{std::string{one}} {}
  /// One; null, as of a variable that is not set, is refused like an empty one. In braces it would be a null `std::string`.
  Addresses(const char* one) : Addresses{std::string{one ? one : ""}} {}
  Addresses(std::nullptr_t) = delete;
};

/// Endpoints: `tcp://HOST:PORT` (HOST an address, a name, `[IPv6]`, or `*` to listen everywhere; PORT 0 or `*` lets the
/// system choose when listening) and `ipc://PATH` (a socket file of at most 107 bytes, best in a directory of mode 0700).
struct TransportOptions {
  Addresses listen{};  ///< addresses of this host
  Addresses peers{};  ///< addresses to dial, and to dial again when lost
  /// Allows tcp endpoints off loopback without keys: anybody who reaches the port can then read and write.
  bool insecure = false;
  /// Small frames per connection that may be on their way out, and four times as many full ones; then `send` answers
  /// `full`. Two keep the line busy while what comes meanwhile gathers in the link's open frame: a smaller number idles,
  /// a larger one makes smaller frames.
  std::size_t send_frames = 2;
  /// Frames per connection that ZeroMQ reads ahead of us.
  std::size_t receive_frames = 64;
  /// How long a closing connection may still write what it has taken. `stop` waits at most this long.
  Duration linger = std::chrono::milliseconds{100};
  /// From dialling to `up`, name lookup and handshake included.
  Duration dial_timeout = std::chrono::seconds{5};
  /// On a core that is busy the transport's threads wait for their turn, some milliseconds at most (Linux: the batch
  /// scheduling class): messages gather meanwhile and leave packed. True: they take the core at once, for less delay.
  bool preempt = false;
};

/// Never fails; what is wrong with the options or endpoints is said by `start`, `listen` and `dial`.
[[nodiscard]] std::unique_ptr<Transport> transport(TransportOptions options = {});

}  // namespace zmq
}  // namespace v0
}  // namespace midplane
