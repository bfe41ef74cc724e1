#include "../promises_requests/support.hpp"

#include <midplane/zmq.hpp>

using namespace midplane;
using namespace midplane::test;

TEST_CASE("P19 bad endpoints get a typed error that says what to do" * doctest::test_suite("zmq")) {
  auto bus = Bus::open().value();
  for (const char* bad : {"", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "udp://127.0.0.1:1", "ipc://", "nonsense"}) {
    CAPTURE(bad);
    auto refused = bus.attach(zmq::transport({.listen = {bad}, .peers = {}}));
    REQUIRE_FALSE(refused);
    CHECK(code(refused) == is(ErrorCode::invalid_endpoint));
    CHECK(refused.error().text().size() > 10);
  }
  CHECK_FALSE(bus.attach(zmq::transport({.listen = {"tcp://0.0.0.0:0"}, .peers = {}})));
}
