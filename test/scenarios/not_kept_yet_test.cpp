/// What the library does not keep yet, each the smallest scenario that shows it. One that begins to pass fails here:
/// move it to its place.
#include "setting.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> news{"news"};

}  // namespace

#ifndef MIDPLANE_TEST_ZMQ
NOT_KEPT(OverFaulty, "P16 drain in virtual time flushes the links") {
  std::atomic<int> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) { ++seen; }, {.queue = Queue{.messages = 10'000}}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 5000; ++i) REQUIRE(publisher.publish(bytes("x"))->queued == 1);
  CHECK(s.out().drain(30s).complete);
  CHECK(s.out().close(5s).complete);
  CHECK(s.wait_until([&] { return seen == 5000; }));
}

NOT_KEPT(InProcess, "P9 a wait for matched that nothing fulfils ends closed with its bus, as a callback too") {
  auto publisher = s.out().publisher(news).value();
  std::optional<int> said;
  publisher.matched(1, [&](Result<void> r) { said = code(r); });
  CHECK(s.out().close(5s).complete);
  s.pass(20ms);
  CHECK(said == is(ErrorCode::closed));
}

NOT_KEPT(OverFaulty, "P12 the text of an app_error is its detail, near and far alike") {
  auto server = s.out().serve(echo, [](Request<Bytes>, Responder<Bytes> a) { CHECK(a.fail(7, "no such thing")); }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto reply = client.request(bytes("q")).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().detail() == "no such thing");
}

NOT_KEPT(OverFaulty, "after no_credit writable is not called before the next item may be sent") {
  StreamResponder<Bytes> out;
  bool entered = false, is_writable = false;
  auto server = s.out().serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> a) { out = std::move(a), entered = true; }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  REQUIRE(s.wait_until([&] { return entered; }));
  while (*out.send(bytes("x")) == Streamed::queued) {
  }
  out.writable([&] { is_writable = true; });
  CHECK((!is_writable || *out.send(bytes("x")) == Streamed::queued));
}
#endif
