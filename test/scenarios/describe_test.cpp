#include <algorithm>
#include <atomic>
#include <thread>

#include <midplane/describe.hpp>

#include "../promises_requests/support.hpp"
#include "fleet_midplane.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<fleet::Reading> readings{"fleet.readings"};
inline constexpr Topic<Bytes> noise{"fleet.noise"};
inline constexpr Service<fleet::Ask, fleet::Reading> latest{"fleet.latest"};

/// `a` has something to tell; `b` asks.
struct Pair {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();
  testing::FaultyNetwork network{11};
  Bus a = Bus::open({.name = "a", .executor = loop, .clock = clock, .event = reports}).value();
  Bus b = Bus::open({.name = "b", .executor = loop, .clock = clock}).value();
  void link() {
    a.attach(network.transport("a", {.listen = {"sim://a"}, .peers = {}})).value();
    b.attach(network.transport("b", {.listen = {}, .peers = {"sim://a"}})).value();
  }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
};

fleet::ReadingT reading(const std::string& host, double load) {
  fleet::ReadingT value;
  value.host = host;
  value.load = load;
  return value;
}

std::uint64_t value_of(const std::vector<CounterDescription>& counters, std::string_view name) {
  const auto found = std::find_if(counters.begin(), counters.end(), [&](const auto& one) { return one.name == name; });
  return found == counters.end() ? 0 : found->value;
}

const TypeInfo& reading_type() { return Codec<fleet::Reading>::info(); }

}  // namespace

TEST_CASE("another bus asks for the description and gets topics, subscriptions, services, peers and counters") {
  Pair pair;
  pair.link();
  auto publisher = pair.a.publisher(readings).value();
  auto raw = pair.a.publisher(noise).value();
  auto plain = pair.a.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
  auto member = pair.a.subscribe(Pattern<Bytes>::parse("fleet.>").value(), [](const Message<Bytes>&) {},
                                 {.queue = Queue{.messages = 7, .bytes = 4096, .overflow = Overflow::drop_oldest}, .group = "g"}).value();
  auto full = pair.a.inbox(noise, {.queue = Queue{.messages = 1, .bytes = 4096}}).value();
  auto server = pair.a.serve(latest, [](const Request<fleet::Ask>&) { return reading("h", 1); }).value();
  auto second = pair.a.serve(latest, [](const Request<fleet::Ask>&) { return reading("h", 2); }).value();
  auto client = pair.a.client(latest).value();
  for (int i = 0; i < 3; ++i) CHECK(publisher.publish(reading("h", i)));
  for (int i = 0; i < 2; ++i) CHECK(raw.publish(bytes("x")));
  for (int i = 0; i < 2; ++i) CHECK(client.request(fleet::AskT{}).get());
  pair.pass(100ms);

  const auto told = describe(pair.b, "a");
  REQUIRE(told);
  CHECK(told->name == "a");
  CHECK(told->incarnation == pair.a.stats().incarnation);
  CHECK(told->library_version == "0.1.0");
  CHECK(told->wire_version == 2);

  REQUIRE(told->topics.size() == 2);
  CHECK(told->topics[0].name == "fleet.noise");
  CHECK(told->topics[0].type.name.empty());
  CHECK(told->topics[0].type.fingerprint == 0);
  CHECK(told->topics[0].published == 2);
  CHECK(told->topics[0].payload_bytes == 2);
  CHECK(told->topics[1].name == "fleet.readings");
  CHECK(told->topics[1].type.name == "fleet.Reading");
  CHECK(told->topics[1].type.fingerprint == reading_type().fingerprint);
  CHECK(told->topics[1].published == 3);

  REQUIRE(told->subscriptions.size() == 3);
  const SubscriptionDescription& all = told->subscriptions[0];
  CHECK(all.pattern == "fleet.>");
  CHECK(all.type.fingerprint == 0);
  CHECK(all.group == "g");
  CHECK(all.overflow == "drop_oldest");
  CHECK(all.queue_messages_max == 7);
  CHECK(all.queue_bytes_max == 4096);
  CHECK(all.counts.offered == 5);
  CHECK(all.counts.delivered == 5);
  const SubscriptionDescription& inbox = told->subscriptions[1];
  CHECK(inbox.pattern == "fleet.noise");
  CHECK(inbox.overflow == "drop_newest");
  CHECK(inbox.counts.offered == 2);
  CHECK(inbox.counts.delivered == 0);
  CHECK(inbox.counts.waiting == 1);
  REQUIRE(inbox.counts.dropped.size() == 1);
  CHECK(inbox.counts.dropped[0].name == "queue_full_newest");
  CHECK(inbox.counts.dropped[0].value == 1);
  CHECK(told->subscriptions[2].pattern == "fleet.readings");
  CHECK(told->subscriptions[2].type.name == "fleet.Reading");
  CHECK(told->subscriptions[2].counts.delivered == 3);
  CHECK(told->subscriptions[2].counts.dropped.empty());

  REQUIRE(told->services.size() == 1);
  CHECK(told->services[0].name == "fleet.latest");
  CHECK(told->services[0].request.name == "fleet.Ask");
  CHECK(told->services[0].reply.fingerprint == reading_type().fingerprint);
  CHECK(told->services[0].servers == 2);
  CHECK(told->services[0].counts.delivered == 2);

  REQUIRE(told->peers.size() == 1);
  CHECK(told->peers[0].name == "b");
  CHECK(told->peers[0].incarnation == pair.b.stats().incarnation);
  CHECK(told->peers[0].state == "up");
  CHECK_FALSE(told->peers[0].dialled);
  CHECK(value_of(told->counters, "requests_sent") == 2);
  CHECK(value_of(told->counters, "requests_ok") == 2);
}

TEST_CASE("what goes to peers is described with its drops, and a handle that ended is not described any more") {
  Pair pair;
  pair.link();
  std::optional<Subscription> near = pair.a.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
  auto far = pair.b.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
  auto publisher = pair.a.publisher(readings).value();
  CHECK(far.wait_confirmed(5s));
  CHECK(publisher.wait_matched(2, 5s));
  CHECK(publisher.publish(reading("h", 1)));
  pair.pass(100ms);
  near.reset();
  const auto told = describe(pair.b, "a");
  REQUIRE(told);
  CHECK(told->subscriptions.empty());
  const auto link = std::find_if(told->links.begin(), told->links.end(), [](const auto& one) { return one.kind == "link"; });
  REQUIRE(link != told->links.end());
  CHECK(link->name == "fleet.readings");
  CHECK(link->peer == "b");
  CHECK(link->counts.offered == 1);
}

TEST_CASE("a tool decodes any topic without its header: description, schema by fingerprint, JSON by reflection") {
  Pair pair;
  pair.link();
  std::optional<Message<Bytes>> seen;
  auto tap = pair.b.subscribe(Pattern<Bytes>::parse("fleet.*").value(), [&](const Message<Bytes>& m) { seen = m; }).value();
  auto publisher = pair.a.publisher(readings).value();
  CHECK(tap.wait_confirmed(5s));
  CHECK(publisher.wait_matched(1, 5s));
  CHECK(publisher.publish(reading("alpha", 0.5)));
  pair.pass(100ms);
  REQUIRE(seen);

  const auto told = describe(pair.b, "a");
  REQUIRE(told);
  REQUIRE(told->topics.size() == 1);
  const auto schema = schema_of(pair.b, "a", told->topics[0].type.fingerprint);
  REQUIRE(schema);
  CHECK(schema->type == "fleet.Reading");
  CHECK(to_json(seen->bytes(), schema->info()).value() == R"({"host":"alpha","load":0.5})");
}

TEST_CASE("the types of all handles can be asked for, and another fingerprint is answered unknown") {
  Pair pair;
  pair.link();
  auto client = pair.a.client(latest).value();
  const auto asked = schema_of(pair.b, "a", Codec<fleet::Ask>::info().fingerprint);
  REQUIRE(asked);
  CHECK(asked->type == "fleet.Ask");
  const auto unknown = schema_of(pair.b, "a", 12345);
  REQUIRE(code(unknown) == is(ErrorCode::app_error));
  CHECK(unknown.error().app_code() == unknown_fingerprint);
  CHECK(unknown.error().detail().ends_with("unknown fingerprint"));
  CHECK(code(schema_of(pair.b, "a", 0)) == is(ErrorCode::app_error));
}

TEST_CASE("a bus describes itself without asking, also without a transport") {
  World world;
  auto sub = world.bus.subscribe(noise, [](const Message<Bytes>&) {}).value();
  const Description told = describe(world.bus);
  CHECK(told.name == "near");
  CHECK(told.subscriptions.size() == 1);
  CHECK(told.services.empty());
  CHECK(told.peers.empty());
  CHECK(code(describe(world.bus, "anybody")) == is(ErrorCode::no_server));
}

TEST_CASE("of several peers the named one is asked, a name that nobody has is no_server, and never this bus itself") {
  Pair pair;
  pair.link();
  Bus c = Bus::open({.name = "c", .executor = pair.loop, .clock = pair.clock}).value();
  CHECK(c.attach(pair.network.transport("c", {.listen = {"sim://c"}, .peers = {}})));
  CHECK(pair.b.attach(pair.network.transport("b2", {.listen = {}, .peers = {"sim://c"}})));
  CHECK(describe(pair.b, "a")->name == "a");
  CHECK(describe(pair.b, "c")->name == "c");
  CHECK(describe(pair.b, "a")->name == "a");
  CHECK(code(describe(pair.b, "b")) == is(ErrorCode::no_server));
  CHECK(code(describe(pair.b, "nobody")) == is(ErrorCode::no_server));
  CHECK(describe(c, "")->name == "b");
}

TEST_CASE("a peer that is told to be up has its name, also while its link is coming up") {
  struct Looks final : EventSink {
    void event(const Event& event) noexcept override {
      if (event.kind != EventKind::peer_up) return;
      for (const PeerDescription& peer : describe(*bus).peers) {
        ++looks;
        if (peer.state == "up" && peer.name.empty()) ++nameless;
      }
    }
    Bus* bus = nullptr;
    int looks = 0, nameless = 0;
  };
  Pair pair;
  const auto sink = std::make_shared<Looks>();
  Bus c = Bus::open({.name = "c", .executor = pair.loop, .clock = pair.clock, .event = sink}).value();
  sink->bus = &c;
  pair.link();
  c.attach(pair.network.transport("c", {.listen = {}, .peers = {"sim://a"}})).value();
  CHECK(describe(c, "a"));
  CHECK(sink->looks > 0);
  CHECK(sink->nameless == 0);
}

TEST_CASE("a peer that does not answer is timed_out") {
  Pair pair;
  pair.link();
  CHECK(describe(pair.b, "a"));
  pair.network.cut("a", "b");
  CHECK(code(describe(pair.b, "a", 200ms)) == is(ErrorCode::timed_out));
}

TEST_CASE("P3 being described is nobody's traffic: no sink, no request, nothing in the reports") {
  Pair pair;
  pair.link();
  auto sub = pair.a.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
  for (int i = 0; i < 5; ++i) CHECK(describe(pair.b, "a"));
  for (Bus* bus : {&pair.a, &pair.b}) {
    const Stats stats = bus->stats();
    for (const SinkStats& sink : stats.sinks) CHECK_FALSE(sink.name.starts_with("_midplane"));
    CHECK(stats.requests_sent == 0);
    CHECK(stats.requests_pending == 0);
  }
  const Report drained = pair.a.drain(1s);
  CHECK(drained.complete);
  CHECK(drained.delivered == 0);
  CHECK(describe(pair.b, "a"));  // a drain that hangs is looked at, too
  const Report closed = pair.a.close(1s);
  CHECK(closed.complete);
  CHECK(closed.delivered == 0);
  CHECK(closed.dropped.total() == 0);
  CHECK(pair.reports->closed == 1);
}

TEST_CASE("P17 a bus that described itself ends whole, closed from outside or in a handler") {
  const auto ends = [](bool inside) {
    std::weak_ptr<detail::BusCore> left;
    {
      Pair pair;
      pair.link();
      left = pair.a.core();
      CHECK(describe(pair.b, "a"));
      if (inside) {
        auto sub = pair.a.subscribe(noise, [&](const Message<Bytes>&) { static_cast<void>(pair.a.close(1s)); }).value();
        CHECK(pair.a.publisher(noise)->publish(bytes("x")));
        pair.pass(100ms);
      } else {
        CHECK(pair.a.close(1s).complete);
      }
      pair.pass(100ms);
      CHECK(code(describe(pair.a, "b")) == is(ErrorCode::closed));
    }
    return left.expired();
  };
  CHECK(ends(false));
  CHECK(ends(true));
}

TEST_CASE("on a pool the description is whole while handles come and go and messages flow") {
  Bus a = Bus::open({.name = "a"}).value();
  auto publisher = a.publisher(readings).value();
  std::atomic<bool> ended{false};
  std::thread traffic{[&] {
    while (!ended) {
      auto sub = a.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
      for (int i = 0; i < 20; ++i) static_cast<void>(publisher.publish(reading("h", i)));
    }
  }};
  for (int i = 0; i < 50; ++i) {
    const Description told = describe(a);
    REQUIRE(told.topics.size() == 1);
    CHECK(told.topics[0].type.name == "fleet.Reading");
    CHECK(told.subscriptions.size() <= 1);
  }
  ended = true;
  traffic.join();
}

TEST_CASE("replies that are no description, cut off or mutated, are malformed or read in bounds") {
  CHECK(code(read_description({})) == is(ErrorCode::malformed));
  CHECK(code(read_description(bytes("no description at all"))) == is(ErrorCode::malformed));
  Pair pair;
  pair.link();
  auto ask = pair.b.core();
  auto sub = pair.a.subscribe(readings, [](const Message<fleet::Reading>&) {}).value();
  auto client = detail::make_client(ask, describe_service, Codec<Bytes>::info(), Codec<Bytes>::info(), {}, {}).value();
  Client<Bytes, Bytes> typed{client};
  pair.pass(1s);
  // The client's own bus serves it as well, and is asked first.
  const auto reply = typed.request(bytes("")).get();
  REQUIRE(reply);
  REQUIRE(read_description(reply->bytes()));
  CHECK(read_description(reply->bytes())->name == "b");
  std::vector<std::byte> whole{reply->bytes().begin(), reply->bytes().end()};
  for (std::size_t size = 0; size < whole.size(); size += 3)
    static_cast<void>(read_description(std::span{whole}.first(size)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto broken = whole;
    broken[at] ^= std::byte{0x41};
    static_cast<void>(read_description(broken));
  }
  Client<Bytes, Bytes> schemas{
      detail::make_client(ask, schema_service, Codec<Bytes>::info(), Codec<Bytes>::info(), {}, {}).value()};
  for (const char* broken : {"", "abc", "no question at all"})
    CHECK(code(schemas.request(bytes(broken)).get()) == is(ErrorCode::malformed));
}

TEST_CASE("a description as JSON has fingerprints as 16 hex digits and null for raw bytes") {
  Description told;
  told.name = "a\"b";
  told.wire_version = 1;
  told.topics = {{"t", {"m.T", 0xabc}, 2, 16}, {"raw", {}, 0, 0}};
  told.subscriptions = {{"t", {}, "g", "latest", 1, 2, {.offered = 3, .dropped = {{"conflated", 2}}}}};
  told.peers = {{"p", "00", "sim://p", "up", true}};
  told.counters = {{"requests_sent", 1}};
  CHECK(to_json(told).value() ==
        R"({"name":"a\"b","incarnation":"","library_version":"","wire_version":1,"topics":[)"
        R"({"name":"t","type":{"name":"m.T","fingerprint":"0000000000000abc"},"published":2,"payload_bytes":16},)"
        R"({"name":"raw","type":null,"published":0,"payload_bytes":0}],"subscriptions":[)"
        R"({"pattern":"t","type":null,"group":"g","overflow":"latest","queue_messages_max":1,"queue_bytes_max":2,)"
        R"("counts":{"offered":3,"delivered":0,"waiting":0,"in_transit":0,"refused":0,"dropped":{"conflated":2}}}],)"
        R"("services":[],"links":[],"peers":[)"
        R"({"name":"p","incarnation":"00","endpoint":"sim://p","state":"up","dialled":true}],)"
        R"("counters":{"requests_sent":1}})");
  CHECK(code(to_json(told, {.bytes_max = 10})) == is(ErrorCode::too_large));
}
