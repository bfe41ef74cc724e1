#include "../promises_requests/support.hpp"

#include <unistd.h>

#include <midplane/zmq.hpp>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> cpu{"host.cpu"};

void crosses(const std::string& endpoint) {
  auto a = Bus::open({.name = "a"}).value();
  auto b = Bus::open({.name = "b"}).value();
  REQUIRE(a.attach(zmq::transport({.listen = {endpoint}, .peers = {}})));
  REQUIRE(b.attach(zmq::transport({.listen = {}, .peers = {endpoint}})));
  std::promise<std::string> all;
  std::string seen;
  auto server = a.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto sub = b.subscribe(Pattern<Bytes>::parse("host.>").value(), [&](const Message<Bytes>& m) {
    seen += text(m);
    if (seen.size() == 3) all.set_value(seen);
  }).value();
  auto publisher = a.publisher(cpu).value();
  CHECK(sub.wait_confirmed(30s));
  CHECK(publisher.wait_matched(1, 30s));
  for (const char* n : {"1", "2", "3"}) CHECK(publisher.publish(bytes(n)));
  auto future = all.get_future();
  REQUIRE(future.wait_for(30s) == std::future_status::ready);
  CHECK(future.get() == "123");
  auto client = b.client(echo).value();
  CHECK(client.wait_server(30s));
  auto reply = client.request(bytes("far")).get();
  CHECK(code(reply) == 0);
  CHECK(a.close(5s).complete);
  CHECK(b.close(5s).complete);
}

}  // namespace

TEST_CASE("messages and requests cross between two buses over ipc" * doctest::test_suite("zmq")) {
  crosses("ipc:///tmp/midplane-test-" + std::to_string(::getpid()));
}

TEST_CASE("messages and requests cross between two buses over tcp" * doctest::test_suite("zmq")) {
  crosses("tcp://127.0.0.1:" + std::to_string(20000 + ::getpid() % 20000));
}

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
