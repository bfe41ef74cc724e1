/// What only a link can do: be lost, be on its way, be slow.
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
  std::shared_ptr<Log> log = std::make_shared<Log>();
  Bus b = Bus::open({.name = "b", .executor = loop, .clock = clock, .log = log, .event = reports}).value();
  void link() {
    a.attach(network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
    b.attach(network.transport("b", {.listen = {}, .peers = {"sim://a"}})).value();
  }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
};

}  // namespace

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

TEST_CASE("a request that is made while the only server's peer is lost is answered no_server, and served when it is back") {
  Pair pair;
  pair.link();
  std::optional<Server> server = pair.a.serve(echo, [](const Request<Bytes>& q) { return q.bytes(); }).value();
  auto client = pair.b.client(echo).value();
  CHECK(client.wait_server(5s));
  pair.network.cut("a", "b");
  pair.pass(4s);
  REQUIRE(pair.reports->peer_lost == 1);
  const auto reply = client.request(bytes("q")).get();
  CHECK(code(reply) == is(ErrorCode::no_server));
  CHECK(reply.error().fate() == Fate::not_started);
  CHECK(reply.error().detail().find("sim://a is lost") != std::string_view::npos);
  pair.network.heal("a", "b");
  pair.pass(10s);
  CHECK(client.request(bytes("q")).get());
}

TEST_CASE("who waits for a confirmation that is on its way hears of a drain") {
  Pair pair;
  pair.link();
  pair.pass(1s);
  pair.network.cut("a", "b");
  auto sub = pair.b.subscribe(cpu, [](const Message<Bytes>&) {}).value();
  std::vector<ErrorCode> told;
  sub.confirmed([&](Result<void> result) { told.push_back(result ? ErrorCode{} : result.error().code()); });
  pair.pass(1ms);
  CHECK(told.empty());
  CHECK_FALSE(pair.b.drain(10ms).complete);
  pair.pass(1ms);
  REQUIRE(told.size() == 1);
  CHECK(told[0] == ErrorCode::closed);
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

TEST_CASE("a peer that is not reached is logged once while it is so, and again when it was reached and is lost") {
  Pair pair;
  pair.b.attach(pair.network.transport("b", {.listen = {}, .peers = {"sim://a"}})).value();
  pair.pass(20s);
  const std::string line = "warning link.not_reached endpoint=sim://a why=transport_failed: nobody answers there";
  CHECK(pair.log->of("link.not_reached") == std::vector<std::string>{line});
  pair.a.attach(pair.network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
  pair.pass(10s);
  REQUIRE(pair.log->of("link.peer_up").size() == 1);
  CHECK(pair.log->of("link.peer_up")[0].starts_with("warning "));  // the end of a warning
  CHECK(pair.log->of("link.not_reached").size() == 1);
  pair.network.crash("a");
  pair.pass(20s);
  CHECK(pair.log->of("link.not_reached") == std::vector<std::string>{line, line});
}

TEST_CASE("a request that nobody serves says which peers are not reached, and why") {
  Pair pair;
  pair.b.attach(pair.network.transport("b", {.listen = {}, .peers = {"sim://nobody"}})).value();
  auto client = pair.b.client(echo, {.timeout = 200ms}).value();
  const auto late = client.request(bytes("q")).get();
  REQUIRE(code(late) == is(ErrorCode::timed_out));
  CHECK(late.error().message() ==
        "timed_out: no answer by the deadline (sim://nobody is not reached: nobody answers there)");
  auto at_once = pair.b.client(echo, {.wait_for_peers = false}).value();
  const auto nobody = at_once.request(bytes("q")).get();
  REQUIRE(code(nobody) == is(ErrorCode::no_server));
  CHECK(nobody.error().detail() == "echo; sim://nobody is not reached: nobody answers there");
}

TEST_CASE("of many peers that are not reached the first four are named") {
  Pair pair;
  std::vector<std::string> nobody;
  for (int i = 0; i < 6; ++i) nobody.push_back("sim://" + std::to_string(i));
  pair.b.attach(pair.network.transport("b", {.listen = {}, .peers = nobody})).value();
  auto client = pair.b.client(echo, {.wait_for_peers = false}).value();
  const auto reply = client.request(bytes("q")).get();
  REQUIRE(code(reply) == is(ErrorCode::no_server));
  CHECK(reply.error().detail() == "echo; sim://0 is not reached, sim://1 is not reached, sim://2 is not reached, "
                                  "sim://3 is not reached, and 2 more");
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

TEST_CASE("P4 a publish in a handler that can not wait for a link says would_deadlock only of what it lost") {
  Pair pair;
  pair.link();
  auto inbox = pair.b.inbox(cpu, {.queue = {.messages = 2, .overflow = Overflow::block, .block_for = 1s}}).value();
  auto publisher = pair.a.publisher(cpu, {.far_wait = true}).value();
  REQUIRE(publisher.wait_matched(1, 5s));
  int flagged = 0, dropped = 0, queued = 0;
  auto timer = pair.a.after(Duration{0}, [&] {
    for (int i = 0; i < 20; ++i) {
      const auto published = publisher.publish(bytes("m"));
      REQUIRE(published);
      flagged += published->would_deadlock;
      dropped += static_cast<int>(published->dropped);
      queued += static_cast<int>(published->queued);
    }
  });
  pair.pass(100ms);
  CHECK(queued > 2);  // also what waits on this side
  CHECK(dropped > 0);
  CHECK(flagged == dropped);
  CHECK(queued + dropped == 20);
}

TEST_CASE("a peer that closed its bus is lost in order, which is no warning; one that vanished is") {
  for (const bool in_order : {true, false}) {
    Pair pair;
    pair.link();
    pair.pass(100ms);
    if (in_order) CHECK(pair.a.close(1s).complete);
    else pair.network.crash("a");
    pair.pass(100ms);
    const auto lost = pair.log->of("link.peer_lost");
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].starts_with(in_order ? "info " : "warning "));
    CHECK((lost[0].find("its bus was closed") != std::string::npos) == in_order);
  }
}

TEST_CASE("what is published when a subscriber's bus was closed is lost on nobody; one that vanished may come back, and counts") {
  for (const bool in_order : {true, false}) {
    CAPTURE(in_order);
    Pair pair;
    pair.link();
    auto sub = pair.a.subscribe(cpu, [](const Message<Bytes>&) {}).value();
    auto publisher = pair.b.publisher(cpu).value();
    REQUIRE(publisher.wait_matched(1, 5s));
    if (in_order) CHECK(pair.a.close(1s).complete);
    else pair.network.crash("a");
    pair.pass(100ms);
    const auto published = publisher.publish(bytes("late"));
    REQUIRE(published);
    CHECK(published->sinks == (in_order ? 0 : 1));
    CHECK(published->dropped == (in_order ? 0 : 1));
    pair.pass(61s);
    CHECK(publisher.publish(bytes("later"))->sinks == 0);
  }
}

TEST_CASE("a link that comes up is a warning only behind the warning that it was lost") {
  Pair pair;
  pair.link();
  pair.pass(100ms);
  pair.network.cut("a", "b");
  pair.pass(5s);
  pair.network.heal("a", "b");
  pair.pass(10s);
  const auto up = pair.log->of("link.peer_up");
  REQUIRE(up.size() == 2);
  CHECK(up[0].starts_with("info "));
  CHECK(up[1].starts_with("warning "));
}

TEST_CASE("two living buses of one name lose no message of either, and the log says that the name is not theirs alone") {
  Pair pair;
  Bus twin = Bus::open({.name = "a", .executor = pair.loop, .clock = pair.clock}).value();
  pair.a.attach(pair.network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
  twin.attach(pair.network.transport("twin", {.listen = {"sim://twin"}, .peers = {}})).value();
  pair.b.attach(pair.network.transport("b", {.listen = {}, .peers = {"sim://a", "sim://twin"}})).value();
  int seen = 0, gaps = 0;
  auto sub = pair.b.subscribe(cpu, [&](const Message<Bytes>&) { ++seen; }, {.on_event = [&](const SubscriptionEvent& event) {
                                gaps += event.kind == EventKind::gap ? 1 : 0;
                              }}).value();
  auto one = pair.a.publisher(cpu).value();
  auto other = twin.publisher(cpu).value();
  REQUIRE(one.wait_matched(1, 5s));
  REQUIRE(other.wait_matched(1, 5s));
  pair.pass(1s);
  for (int i = 0; i < 100; ++i) {
    CHECK(one.publish(bytes("m"))->queued == 1);
    CHECK(other.publish(bytes("m"))->queued == 1);
    pair.pass(1ms);
  }
  pair.pass(1s);
  CHECK(seen == 200);
  CHECK(gaps == 0);
  const auto told = pair.log->of("link.same_name");
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with("error link.same_name peer=a "));
}

TEST_CASE("a peer that has the name of this bus is told of on both sides, and heard") {
  Pair pair;
  pair.a.attach(pair.network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
  const auto log = std::make_shared<Log>();
  Bus twin = Bus::open({.name = "a", .executor = pair.loop, .clock = pair.clock, .log = log}).value();
  twin.attach(pair.network.transport("twin", {.listen = {}, .peers = {"sim://a"}})).value();
  int seen = 0;
  auto sub = twin.subscribe(cpu, [&](const Message<Bytes>&) { ++seen; }).value();
  auto publisher = pair.a.publisher(cpu).value();
  REQUIRE(publisher.wait_matched(1, 5s));
  CHECK(publisher.publish(bytes("m"))->queued == 1);
  pair.pass(100ms);
  CHECK(seen == 1);
  const auto told = log->of("link.same_name");
  REQUIRE(told.size() == 1);
  CHECK(told[0] == "error link.same_name peer=a endpoint=sim://a");
}

TEST_CASE("of two living buses of one name the older one goes on being heard when the younger one is forgotten") {
  Pair pair;
  pair.network.faults("a", "b", {.delay_min = 300ms, .delay_max = 300ms});  // its sign of life comes behind the twin's message
  pair.a.attach(pair.network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
  pair.b.attach(pair.network.transport("b", {.listen = {"sim://b"}, .peers = {"sim://a"}})).value();
  int seen = 0, gaps = 0;
  auto sub = pair.b.subscribe(cpu, [&](const Message<Bytes>&) { ++seen; }, {.on_event = [&](const SubscriptionEvent& event) {
                                gaps += event.kind == EventKind::gap ? 1 : 0;
                              }}).value();
  auto one = pair.a.publisher(cpu).value();
  REQUIRE(one.wait_matched(1, 5s));
  CHECK(one.publish(bytes("m"))->queued == 1);
  pair.pass(1s);
  {
    Bus twin = Bus::open({.name = "a", .executor = pair.loop, .clock = pair.clock}).value();
    twin.attach(pair.network.transport("twin", {.listen = {}, .peers = {"sim://b"}})).value();
    auto other = twin.publisher(cpu).value();
    REQUIRE(other.wait_matched(1, 5s));
    CHECK(pair.log->of("link.same_name").empty());
    CHECK(other.publish(bytes("m"))->queued == 1);
    pair.pass(50ms);
    CHECK(seen == 2);
    CHECK(pair.log->of("link.same_name").empty());
    pair.pass(1s);
    CHECK(pair.log->of("link.same_name").size() == 1);
  }
  pair.pass(100s);
  for (int i = 0; i < 5; ++i) {
    CHECK(one.publish(bytes("m"))->queued == 1);
    pair.pass(1s);
  }
  CHECK(seen == 7);
  CHECK(gaps == 0);
}

TEST_CASE("a bus that was restarted before its old link is known to have ended is no second bus of its name") {
  Pair pair;
  pair.link();
  std::vector<EventKind> events;
  auto sub = pair.b.subscribe(cpu, [](const Message<Bytes>&) {}, {.on_event = [&](const SubscriptionEvent& event) {
                                events.push_back(event.kind);
                              }}).value();
  auto publisher = pair.a.publisher(cpu).value();
  REQUIRE(publisher.wait_matched(1, 5s));
  pair.pass(100ms);
  pair.network.cut("a", "b");  // half open: what it sends does not arrive, and nobody says that it is gone
  Bus again = Bus::open({.name = "a", .executor = pair.loop, .clock = pair.clock}).value();
  again.attach(pair.network.transport("again", {.listen = {}, .peers = {"sim://b"}})).value();
  pair.b.attach(pair.network.transport("b2", {.listen = {"sim://b"}, .peers = {}})).value();
  pair.pass(10s);
  CHECK(pair.log->of("link.same_name").empty());
  CHECK(std::count(events.begin(), events.end(), EventKind::incarnation_changed) == 1);
}

TEST_CASE("buses without a name of their own have different ones") {
  const Bus one = Bus::open({.executor = inline_executor()}).value();
  const Bus other = Bus::open({.executor = inline_executor()}).value();
  CHECK(one.stats().bus != other.stats().bus);
  const std::string name = one.stats().bus, begin = "bus-" + std::to_string(::getpid()) + "-";
  CHECK(name.starts_with(begin));
  CHECK(name.size() == begin.size() + 12);  // where every process has one number, these alone tell them apart
}

TEST_CASE("a bus that is closed itself loses its peers in order") {
  Pair pair;
  pair.link();
  pair.pass(100ms);
  CHECK(pair.b.close(1s).complete);
  REQUIRE(pair.log->of("link.peer_lost").size() == 1);
  CHECK(pair.log->of("link.peer_lost")[0].starts_with("info "));
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

TEST_CASE("an address that leads to the very bus that dials it is refused under the bus's own name") {
  Pair pair;
  pair.b.attach(pair.network.transport("b", {.listen = {"sim://b"}, .peers = {"sim://b"}})).value();
  pair.pass(5s);
  const auto lines = pair.log->of("link.peer_refused");
  REQUIRE(!lines.empty());
  for (const std::string& line : lines) {
    CHECK(line.find(" peer=b ") != std::string::npos);
    CHECK(line.find("this address reaches the very bus that dials it") != std::string::npos);
  }
}

TEST_CASE("a transport without an address to listen at or to dial is refused") {
  Pair pair;
  const auto attached = pair.b.attach(pair.network.transport("b", {}));
  REQUIRE(code(attached) == is(ErrorCode::invalid_option));
  CHECK(attached.error().text().find("set listen or peers") != std::string_view::npos);
}

TEST_CASE("redial_max bounds the pauses between dials, so that a peer which comes is found as soon") {
  for (const Duration longest : {Duration{100ms}, Duration{60s}}) {
    Pair pair;
    Bus c = Bus::open({.name = "c", .executor = pair.loop, .clock = pair.clock, .random = seeded_random(3), .redial_max = longest}).value();
    c.attach(pair.network.transport("c", {.listen = {}, .peers = {"sim://a"}})).value();
    auto sub = c.subscribe(cpu, [](const Message<Bytes>&) {}).value();
    pair.pass(60s);
    pair.a.attach(pair.network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
    const Instant came = pair.clock->now();
    while (!sub.wait_confirmed(10ms) && pair.clock->now() - came < 60s) continue;
    const bool is_at_once = pair.clock->now() - came < 500ms;
    CHECK(is_at_once == (longest == Duration{100ms}));
  }
  CHECK(code(Bus::open({.redial_max = 49ms})) == is(ErrorCode::invalid_option));
  CHECK(code(Bus::open({.redial_max = 61min})) == is(ErrorCode::invalid_option));
}

TEST_CASE("a far subscription that chose block and a Publisher that does not wait for it are logged once per topic, whichever came first") {
  constexpr Topic<Bytes> memory{"host.memory"}, disk{"host.disk"};
  Pair pair;
  pair.link();
  auto first = pair.b.publisher(cpu).value();
  auto second = pair.b.publisher(cpu).value();
  auto waits = pair.b.publisher(disk, {.far_wait = true}).value();
  pair.pass(1s);
  auto all = pair.a.subscribe(Pattern<Bytes>::parse("host.*").value(), [](const Message<Bytes>&) {},
                              {.queue = {.overflow = Overflow::block}}).value();
  pair.pass(1s);
  const std::string line = "warning topic.far_wait topic=host.";
  CHECK(pair.log->of("topic.far_wait") == std::vector<std::string>{line + "cpu"});
  auto later = pair.b.publisher(memory).value();
  auto another = pair.b.publisher(memory).value();
  CHECK(pair.log->of("topic.far_wait") == std::vector<std::string>{line + "cpu", line + "memory"});
}
