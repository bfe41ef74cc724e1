/// What Stats says as text.
#include <doctest/doctest.h>

#include <algorithm>

#include <midplane/midplane.hpp>
#include <midplane/testing/manual_clock.hpp>

#include "../schema/json_checker.hpp"

using namespace midplane;

TEST_CASE("every reason of a loss has the name it is written with, and a value that is none is unknown") {
  const std::string_view names[] = {"queue_full_newest", "queue_full_oldest", "conflated",       "expired",      "handler_failed",
                                    "unsubscribed",      "closed",            "too_large",       "malformed",    "schema_mismatch",
                                    "unauthorised",      "no_memory",         "link_lost"};
  REQUIRE(std::size(names) == drop_reasons);
  for (std::size_t i = 0; i < drop_reasons; ++i) CHECK(name_of(static_cast<DropReason>(i)) == names[i]);
  CHECK(name_of(DropReason::link_lost) == "link_lost");
  CHECK(name_of(static_cast<DropReason>(drop_reasons)) == "unknown");
  CHECK(name_of(static_cast<DropReason>(255)) == "unknown");
}

TEST_CASE("Drops has each reason by its name, and their sum") {
  Drops drops;
  CHECK(drops.total() == 0);
  CHECK(drops.text() == "none");
  drops.by_reason[static_cast<std::size_t>(DropReason::queue_full_oldest)] = 2168;
  drops.by_reason[static_cast<std::size_t>(DropReason::link_lost)] = 1;
  CHECK(drops.text() == "queue_full_oldest 2168, link_lost 1");
  for (std::size_t i = 0; i < drop_reasons; ++i) drops.by_reason[i] = std::uint64_t{1} << i;
  CHECK(drops[DropReason::queue_full_newest] == 1);
  CHECK(drops[DropReason::link_lost] == 4096);
  CHECK(drops.total() == 8191);
}

TEST_CASE("Stats that hold nothing are an object with empty lists") {
  const std::string json = Stats{}.to_json();
  CHECK(json ==
        R"({"bus":"","incarnation":"","requests_sent":0,"requests_pending":0,"requests_ok":0,"requests_failed":0,)"
        R"("payload_memory_bytes":0,"payload_memory_bytes_max":0,"handler_exceptions":0,"topics":[],"sinks":[]})");
  CHECK(schema_test::is_json(json));
  CHECK(Stats{}.find_sink("") == nullptr);
}

TEST_CASE("Stats tell every field under its name, and of the reasons those that lost something") {
  Stats stats;
  stats.bus = "hub";
  stats.incarnation = "00ff";
  stats.requests_sent = 10;
  stats.requests_pending = 1;
  stats.requests_ok = 6;
  stats.requests_failed = 3;
  stats.payload_memory_bytes = 4096;
  stats.payload_memory_bytes_max = 18'446'744'073'709'551'615u;
  stats.handler_exceptions = 2;
  stats.topics = {{"a.b", "m.Tick", 5, 40}, {"raw", "", 0, 0}};
  stats.sinks.resize(3);
  SinkStats& all = stats.sinks[0];
  all = {"a.*", "link", "db1", 11, 12, 13, 14, 15, {}, 16, 17};
  for (std::size_t i = 0; i < drop_reasons; ++i) all.dropped.by_reason[i] = 100 + i;
  stats.sinks[1] = {"a.b", "subscription", "", 21, 22, 23, 24, 25, {}, 26, 27};
  stats.sinks[2].name = "a.b";
  stats.sinks[2].dropped.by_reason[static_cast<std::size_t>(DropReason::expired)] = 7;
  const std::string json = stats.to_json();
  CHECK(json ==
        R"({"bus":"hub","incarnation":"00ff","requests_sent":10,"requests_pending":1,"requests_ok":6,"requests_failed":3,)"
        R"("payload_memory_bytes":4096,"payload_memory_bytes_max":18446744073709551615,"handler_exceptions":2,)"
        R"("topics":[{"name":"a.b","type":"m.Tick","published":5,"payload_bytes":40},)"
        R"({"name":"raw","type":"","published":0,"payload_bytes":0}],)"
        R"("sinks":[{"name":"a.*","kind":"link","peer":"db1","offered":11,"delivered":12,"waiting":13,"in_transit":14,)"
        R"("refused":15,"queue_messages_max":16,"queue_bytes_max":17,"dropped":{"queue_full_newest":100,)"
        R"("queue_full_oldest":101,"conflated":102,"expired":103,"handler_failed":104,"unsubscribed":105,"closed":106,)"
        R"("too_large":107,"malformed":108,"schema_mismatch":109,"unauthorised":110,"no_memory":111,"link_lost":112}},)"
        R"({"name":"a.b","kind":"subscription","peer":"","offered":21,"delivered":22,"waiting":23,"in_transit":24,)"
        R"("refused":25,"queue_messages_max":26,"queue_bytes_max":27,"dropped":{}},)"
        R"({"name":"a.b","kind":"","peer":"","offered":0,"delivered":0,"waiting":0,"in_transit":0,"refused":0,)"
        R"("queue_messages_max":0,"queue_bytes_max":0,"dropped":{"expired":7}}]})");
  CHECK(schema_test::is_json(json));
  CHECK(stats.find_sink("a.b") == &stats.sinks[1]);
  CHECK(stats.find_sink("a.*") == &stats.sinks[0]);
  CHECK(stats.find_sink("b") == nullptr);
}

TEST_CASE("whatever bytes a name has, Stats are JSON") {
  Stats stats;
  stats.bus = "a\"b\\c\n\t\x01\x7f/";
  stats.bus.push_back('\0');
  stats.incarnation = "\xc3\xbc\xff";
  const std::string json = stats.to_json();
  CHECK(json.starts_with(R"({"bus":"a\"b\\c\u000a\u0009\u0001\u007f/\u0000","incarnation":"\u00c3\u00bc\u00ff","requests_sent":0,)"));
  CHECK(schema_test::is_json(json));
  for (int byte = 0; byte < 256; ++byte) {
    Stats one;
    one.sinks.resize(1);
    one.sinks[0].peer = std::string(1, static_cast<char>(byte));
    REQUIRE(schema_test::is_json(one.to_json()));
  }
}

TEST_CASE("what a bus tells of itself stands in its text") {
  const auto clock = testing::manual_clock();
  const auto loop = manual_executor(clock);
  Bus bus = Bus::open({.name = "hub", .executor = loop, .clock = clock}).value();
  static constexpr Topic<Bytes> ticks{"ticks"};
  static constexpr Service<Bytes, Bytes> echo{"echo"};
  const std::byte two[2]{};
  SubscribeOptions small;
  small.queue = Queue{.messages = 2, .bytes = 100};
  auto inbox = bus.inbox(ticks, std::move(small)).value();
  auto server = bus.serve(echo, [](const Request<Bytes>& q) { return q; }, {.queue = Queue{.messages = 3, .bytes = 200}}).value();
  auto publisher = bus.publisher(ticks).value();
  auto client = bus.client(echo).value();
  for (int i = 0; i < 3; ++i) CHECK(publisher.publish(two));
  CHECK(inbox.try_take().has_value());
  CHECK(client.request(two).get());
  const Stats stats = bus.stats();
  const std::string json = stats.to_json();
  CHECK(json ==
        R"({"bus":"hub","incarnation":")" + stats.incarnation +
            R"(","requests_sent":1,"requests_pending":0,"requests_ok":1,"requests_failed":0,"payload_memory_bytes":)" +
            std::to_string(stats.payload_memory_bytes) + R"(,"payload_memory_bytes_max":)" +
            std::to_string(Limits{}.payload_memory_bytes_max) +
            R"(,"handler_exceptions":0,"topics":[{"name":"ticks","type":"","published":3,"payload_bytes":6}],)"
            R"("sinks":[{"name":"echo","kind":"server","peer":"","offered":1,"delivered":1,"waiting":0,"in_transit":0,)"
            R"("refused":0,"queue_messages_max":3,"queue_bytes_max":200,"dropped":{}},)"
            R"({"name":"ticks","kind":"subscription","peer":"","offered":3,"delivered":1,"waiting":1,"in_transit":0,)"
            R"("refused":0,"queue_messages_max":2,"queue_bytes_max":100,"dropped":{"queue_full_newest":1}}]})");
  // In order of peer, kind and name, not of addresses.
  auto earlier = bus.subscribe(Topic<Bytes>{"a"}, [](const Message<Bytes>&) {}).value();
  const Stats later = bus.stats();
  REQUIRE(later.sinks.size() == 3);
  CHECK(later.sinks[1].name == "a");
  CHECK(stats.incarnation.size() == 32);
  CHECK(schema_test::is_json(json));
}
