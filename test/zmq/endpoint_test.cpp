#include "zmq/endpoint.hpp"

#include <doctest/doctest.h>

namespace midplane::zmq {
namespace {

std::string refusal(std::string_view text, Side side = Side::dials, bool insecure = true) {
  const auto endpoint = admit_endpoint(text, side, insecure);
  return endpoint ? std::string{"accepted"} : endpoint.error().message();
}
bool refused(std::string_view text, Side side = Side::dials) {
  return refusal(text, side).find("invalid_endpoint: ") == 0;
}

}  // namespace

TEST_CASE("an endpoint is a tcp host and port or an ipc path") {
  CHECK(parse_endpoint("tcp://127.0.0.1:7400", Side::dials)->address() == "tcp://127.0.0.1:7400");
  CHECK(parse_endpoint("tcp://host-1.example:1", Side::dials)->address() == "tcp://host-1.example:1");
  CHECK(parse_endpoint("tcp://[::1]:65535", Side::dials)->address() == "tcp://[::1]:65535");
  CHECK(parse_endpoint("tcp://*:0", Side::listens)->address() == "tcp://0.0.0.0:*");
  CHECK(parse_endpoint("tcp://localhost:*", Side::listens)->address() == "tcp://127.0.0.1:*");
  CHECK(parse_endpoint("ipc:///run/x/bus", Side::dials)->address() == "ipc:///run/x/bus");
}

TEST_CASE("a bad endpoint is refused with what to write") {
  for (const char* text : {"", "tcp", "tcp://", "udp://a:1", "TCP://a:1", "tcp://a", "tcp://:1", "tcp://a:", "tcp://a:65536", "tcp://a:-1",
                           "tcp://a:1x", "tcp://a b:1", "tcp://a;b:1", "tcp://1.2.3:1", "tcp://256.1.1.1:1", "tcp://::1:1",
                           "tcp://[::1]", "tcp://[::1:1", "tcp://[::g]:1", "tcp://a/b:1", "tcp://*:1", "tcp://a:0", "tcp://0.0.0.0:1",
                           "ipc://", "ipc://@x", "ipc://*", "ipc:///tmp/"})
    CHECK_MESSAGE(refused(text), text);
  CHECK(refused("tcp://example.org:1", Side::listens));
  CHECK(refused("ipc:///" + std::string(107, 'x')));
  CHECK(refusal("ipc:///" + std::string(106, 'x')) == "accepted");
  CHECK(refusal("tcp://a\n:1") == "invalid_endpoint: not a host; write an address or a name: tcp://HOST:PORT (tcp://a?:1)");
}

TEST_CASE("an endpoint off loopback needs insecure") {
  for (const char* text : {"tcp://192.168.0.1:1", "tcp://[fe80::1]:1", "tcp://0.0.0.0:1", "tcp://*:1"})
    CHECK_MESSAGE(refusal(text, Side::listens, false).find("denied: ") == 0, text);
  CHECK(refusal("tcp://example.org:1", Side::dials, false).find("TransportOptions::insecure") != std::string::npos);
  CHECK(refusal("tcp://*:1", Side::listens, true) == "accepted");
  for (const char* text : {"tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1", "tcp://localhost:1", "ipc://x"})
    CHECK_MESSAGE(refusal(text, Side::listens, false) == "accepted", text);
}

}  // namespace midplane::zmq
