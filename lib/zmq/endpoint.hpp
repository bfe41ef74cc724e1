#pragma once
/// Endpoints as users write them, checked before ZeroMQ sees them: its own messages say only "invalid argument".

#include <cstdint>
#include <string>
#include <string_view>

#include <midplane/result.hpp>

namespace midplane::inline v0::zmq {

enum class Side : std::uint8_t { listens, dials };

struct Endpoint {
  enum class Scheme : std::uint8_t { tcp, ipc };
  Scheme scheme = Scheme::tcp;
  std::string host;  ///< tcp, without brackets
  std::string path;  ///< ipc
  std::uint16_t port = 0;
  bool is_ipv6 = false;
  bool is_loopback = false;  ///< ipc always is

  /// Makes the path of a Unix socket absolute, as others can dial it; when that would be too long it stays.
  void make_absolute();
  /// As libzmq wants it.
  [[nodiscard]] std::string address() const;
};

/// `invalid_endpoint`, with what to write instead.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text, Side side);

/// `denied` for an endpoint off loopback without `insecure`.
[[nodiscard]] Result<Endpoint> admit_endpoint(std::string_view text, Side side, bool insecure);

}  // namespace midplane::inline v0::zmq
