#include "../promises_requests/support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> cpu{"host.cpu"};

/// Two buses on one executor, one clock and one network that breaks on demand.
struct Pair {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();
  testing::FaultyNetwork network{7};
  Bus a = Bus::open({.name = "a", .executor = loop, .clock = clock}).value();
  Bus b = Bus::open({.name = "b", .executor = loop, .clock = clock, .event = reports}).value();
  void link() {
    a.attach(network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
    b.attach(network.transport("b", {.listen = {}, .peers = {"sim://a"}})).value();
  }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
};

}  // namespace

TEST_CASE("P9 wait_confirmed and wait_matched: from then on a far subscription misses nothing") {
  Pair pair;
  pair.link();
  std::string seen;
  auto sub = pair.b.subscribe(Pattern<Bytes>::parse("host.*").value(), [&](const Message<Bytes>& m) {
    seen += text(m);
    CHECK(m.peer() == "a");
    CHECK(m.topic() == "host.cpu");
  }).value();
  auto publisher = pair.a.publisher(cpu).value();
  CHECK(sub.wait_confirmed(5s));
  CHECK(publisher.wait_matched(1, 5s));
  for (const char* n : {"1", "2", "3"}) CHECK(publisher.publish(bytes(n))->queued == 1);
  pair.pass(100ms);
  CHECK(seen == "123");
  CHECK(sub.stats().delivered == 3);
}

TEST_CASE("P12 a far request ends once: reply, error, cancel, deadline, no_server") {
  Pair pair;
  pair.link();
  std::optional<Responder<Bytes>> kept;
  bool gave_up = false;
  std::optional<Server> server = pair.a.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
    if (text(q) == "fail") return static_cast<void>(a.fail(9, "far"));
    if (text(q) == "throw") throw 1;
    if (text(q) == "drop") return;
    if (text(q) == "keep") {
      q.on_cancel([&] { gave_up = true; });
      kept = std::move(a);
      return;
    }
    CHECK(a.reply(q));
  }).value();
  auto client = pair.b.client(echo, {.timeout = 1s}).value();
  CHECK(client.wait_server(5s));
  CHECK(text(client.request(bytes("far")).get().value()) == "far");
  auto failed = client.request(bytes("fail")).get();
  REQUIRE(code(failed) == is(ErrorCode::app_error));
  CHECK(failed.error().app_code() == 9);
  CHECK(code(client.request(bytes("throw")).get()) == is(ErrorCode::handler_failed));
  CHECK(code(client.request(bytes("drop")).get()) == is(ErrorCode::abandoned));
  {
    auto pending = client.request(bytes("keep"));
    pair.pass(100ms);
    CHECK(kept);
    CHECK_FALSE(gave_up);
  }
  pair.pass(100ms);
  CHECK(gave_up);
  Outcomes late;
  client.request(bytes("keep")).then(late.catcher());
  pair.pass(999ms);
  CHECK(late.count == 0);
  pair.pass(50ms);
  CHECK(late.last == is(ErrorCode::timed_out));
  CHECK(late.fate == Fate::maybe_executed);
  static_cast<void>(kept->reply(bytes("late")));
  pair.pass(100ms);
  CHECK(late.count == 1);
  server.reset();
  pair.pass(100ms);
  CHECK(code(client.request(bytes("far")).get()) == is(ErrorCode::no_server));
}

TEST_CASE("P12 a peer that is lost ends its requests with peer_lost, and the subscription hears it") {
  Pair pair;
  pair.link();
  std::optional<Responder<Bytes>> kept;
  int lost = 0;
  auto server = pair.a.serve(echo, [&](Request<Bytes>, Responder<Bytes> a) { kept = std::move(a); }).value();
  auto sub = pair.b.subscribe(cpu, [](const Message<Bytes>&) {}, {.on_event = [&](const SubscriptionEvent& event) {
                                lost += event.kind == EventKind::peer_lost ? 1 : 0;
                              }}).value();
  auto client = pair.b.client(echo).value();
  CHECK(client.wait_server(5s));
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  pair.pass(100ms);
  REQUIRE(kept);
  pair.network.crash("a");
  pair.pass(500ms);
  CHECK(outcome.count == 1);
  CHECK(outcome.last == is(ErrorCode::peer_lost));
  CHECK(outcome.fate == Fate::maybe_executed);
  CHECK(lost == 1);
  CHECK(pair.reports->peer_lost == 1);
}

TEST_CASE("while a peer is being reached a request waits, and its end by deadline is not_started") {
  Pair pair;
  pair.b.attach(pair.network.transport("b", {.listen = {}, .peers = {"sim://nobody"}})).value();
  auto client = pair.b.client(echo, {.timeout = 200ms}).value();
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  pair.pass(250ms);
  CHECK(outcome.count == 1);
  CHECK((outcome.last == is(ErrorCode::timed_out) || outcome.last == is(ErrorCode::no_server)));
  CHECK(outcome.fate == Fate::not_started);
}

TEST_CASE("a retained message reaches a far joiner, marked as such") {
  Pair pair;
  auto publisher = pair.a.publisher(cpu, {.retain = true}).value();
  CHECK(publisher.publish(bytes("kept")));
  pair.link();
  std::string seen;
  bool retained = false;
  auto sub = pair.b.subscribe(cpu, [&](const Message<Bytes>& m) { seen += text(m), retained = m.retained(); }).value();
  CHECK(sub.wait_confirmed(5s));
  pair.pass(100ms);
  CHECK(seen == "kept");
  CHECK(retained);
}

TEST_CASE("P3 what a link can not take waits within the bounds of its subscriptions, then is dropped and counted") {
  Pair pair;
  pair.link();
  std::uint64_t seen = 0;
  auto sub = pair.b.subscribe(cpu, [&](const Message<Bytes>&) { ++seen; }, {.queue = Queue{.messages = 100}}).value();
  auto publisher = pair.a.publisher(cpu).value();
  CHECK(sub.wait_confirmed(5s));
  CHECK(publisher.wait_matched(1, 5s));
  pair.network.cut("a", "b");
  const std::string large(60'000, 'x');
  std::uint64_t dropped = 0;
  for (int i = 0; i < 500; ++i) dropped += publisher.publish(bytes(large))->dropped;
  CHECK(dropped > 0);
  std::uint64_t counted = 0;
  for (const SinkStats& sink : pair.a.stats().sinks) {
    if (sink.kind == "link") counted += sink.dropped[DropReason::queue_full_newest];
  }
  CHECK(counted == dropped);
}

TEST_CASE("closing one of two linked buses leaves the other alive") {
  Pair pair;
  pair.link();
  auto sub = pair.b.subscribe(cpu, [](const Message<Bytes>&) {}).value();
  CHECK(sub.wait_confirmed(5s));
  CHECK(pair.a.close(1s).complete);
  pair.pass(1s);
  CHECK(pair.reports->peer_lost == 1);
  CHECK(sub.wait_confirmed(1s));
}
