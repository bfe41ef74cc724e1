#include "zmq/endpoint.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace midplane::inline v0::zmq {
namespace {

constexpr std::string_view tcp_prefix = "tcp://";
constexpr std::string_view ipc_prefix = "ipc://";
/// One byte of `sun_path` is its terminator.
constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
/// The longest name that DNS can carry.
constexpr std::size_t host_bytes_max = 253;

Error refuse(const char* text, std::string_view endpoint) {
  // Shown to people: whatever is not printable is not worth repeating.
  std::string shown;
  for (const char c : endpoint.substr(0, 128)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return Error{ErrorCode::invalid_endpoint, text}.with(shown);
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/// Digits and dots only: an address, or a mistyped one, but no name.
bool looks_like_ipv4(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

Result<Endpoint> parse_host(Endpoint endpoint, std::string_view host, Side side, std::string_view text) {
  if (host.empty()) return refuse("tcp needs a host: tcp://HOST:PORT, for instance tcp://127.0.0.1:7400", text);
  if (host == "*") {
    if (side == Side::dials) return refuse("'*' can be listened at, not dialled; name a host", text);
    endpoint.host = "0.0.0.0";
    return endpoint;
  }
  if (host.front() == '[') {
    if (host.back() != ']') return refuse("an IPv6 address stands in brackets: tcp://[::1]:7400", text);
    endpoint.host = host.substr(1, host.size() - 2);
    in6_addr address{};
    if (inet_pton(AF_INET6, endpoint.host.c_str(), &address) != 1)
      return refuse("not an IPv6 address; write for instance tcp://[::1]:7400", text);
    endpoint.is_ipv6 = true;
    endpoint.is_loopback = IN6_IS_ADDR_LOOPBACK(&address);
    return endpoint;
  }
  if (host.find(':') != std::string_view::npos)
    return refuse("an IPv6 address stands in brackets: tcp://[::1]:7400", text);
  if (host.size() > host_bytes_max || !std::all_of(host.begin(), host.end(), is_host_character))
    return refuse("not a host; write an address or a name: tcp://HOST:PORT", text);
  // libzmq resolves no names when it binds; this one name always means the same.
  endpoint.host = host == "localhost" ? "127.0.0.1" : host;
  if (looks_like_ipv4(endpoint.host)) {
    in_addr address{};
    if (inet_pton(AF_INET, endpoint.host.c_str(), &address) != 1)
      return refuse("not an IPv4 address; write for instance tcp://127.0.0.1:7400", text);
    endpoint.is_loopback = (ntohl(address.s_addr) >> 24) == 127;
    if (side == Side::dials && address.s_addr == 0)
      return refuse("0.0.0.0 can be listened at, not dialled; name a host", text);
  } else if (side == Side::listens) {
    return refuse("listen at an address of this host (or '*'), not at a name", text);
  }
  return endpoint;
}

Result<Endpoint> parse_tcp(std::string_view text, Side side) {
  const std::string_view rest = text.substr(tcp_prefix.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.back() == ']')
    return refuse("tcp needs a port: tcp://HOST:PORT, for instance tcp://127.0.0.1:7400", text);
  const std::string_view port = rest.substr(colon + 1);
  Endpoint endpoint;
  if (port != "*") {
    const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (fault != std::errc{} || end != port.data() + port.size())
      return refuse("a port is a number from 1 to 65535 (0 or '*': let the system choose)", text);
  }
  if (endpoint.port == 0 && side == Side::dials)
    return refuse("dial a port from 1 to 65535; only a listener can let the system choose", text);
  return parse_host(std::move(endpoint), rest.substr(0, colon), side, text);
}

Result<Endpoint> parse_ipc(std::string_view text) {
  const std::string_view path = text.substr(ipc_prefix.size());
  if (path.empty()) return refuse("ipc needs a path: ipc:///run/user/1000/app/bus", text);
  if (path.front() == '@' || path == "*" || path.find('\0') != std::string_view::npos)
    return refuse("ipc needs the path of a file, whose directory guards it: ipc:///run/user/1000/app/bus", text);
  if (path.size() > path_bytes_max) return refuse("the path of a Unix socket has at most 107 bytes; shorten it", text);
  if (path.back() == '/') return refuse("ipc needs the path of a file, not of a directory", text);
  Endpoint endpoint;
  endpoint.scheme = Endpoint::Scheme::ipc;
  endpoint.path = path;
  endpoint.is_loopback = true;
  return endpoint;
}

}  // namespace

void Endpoint::make_absolute() {
  if (scheme != Scheme::ipc) return;
  std::error_code fault;
  std::string absolute = std::filesystem::absolute(path, fault).string();
  if (!fault && absolute.size() <= path_bytes_max) path = std::move(absolute);
}

std::string Endpoint::address() const {
  if (scheme == Scheme::ipc) return std::string{ipc_prefix} + path;
  std::string text{tcp_prefix};
  text += is_ipv6 ? '[' + host + ']' : host;
  return text + ':' + (port == 0 ? std::string{"*"} : std::to_string(port));
}

Result<Endpoint> parse_endpoint(std::string_view text, Side side) {
  if (text.substr(0, tcp_prefix.size()) == tcp_prefix) return parse_tcp(text, side);
  if (text.substr(0, ipc_prefix.size()) == ipc_prefix) return parse_ipc(text);
  return refuse("write tcp://HOST:PORT or ipc://PATH", text);
}

Result<Endpoint> admit_endpoint(std::string_view text, Side side, bool insecure) {
  auto endpoint = parse_endpoint(text, side);
  if (endpoint && !endpoint->is_loopback && !insecure)
    return Error{ErrorCode::denied, "this endpoint is off loopback and would carry everything in the clear; set "
                                    "TransportOptions::insecure to allow that, or use 127.0.0.1 or ipc://"}
        .with(text.substr(0, 128));
  return endpoint;
}

}  // namespace midplane::inline v0::zmq
