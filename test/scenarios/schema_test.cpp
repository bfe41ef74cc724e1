/// Two types of one name over a link: decided once, said to both sides, and everything else goes on.
#include "setting.hpp"

#include "../schema/support.hpp"
#include "evolved_generated.h"
#include "fleet_midplane.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

using Type = schema_test::Type;

/// A table as if it were fleet.Reading of another build.
template <class Table>
struct As {};
const Type& type_of(As<evolved::Newer>) {
  static const Type type{"namespace fleet; table Reading { host:string; load:double; zone:string; }", "fleet.Reading"};
  return type;
}
const Type& type_of(As<evolved::Odd>) {
  static const Type type{"namespace fleet; table Reading { host:string; load:string; }", "fleet.Reading"};
  return type;
}

}  // namespace

template <class Table>
struct midplane::Codec<As<Table>> {
  using View = const Table*;
  static const TypeInfo& info() noexcept {
    static const TypeInfo made = type_of(As<Table>{}).info();
    return made;
  }
  static void encode(PayloadWriter& writer, const typename Table::NativeTableType& value) {
    detail::build_in_place<Table>(writer, [&](flatbuffers::FlatBufferBuilder& b) { return Table::Pack(b, &value); });
  }
  static bool verify(std::span<const std::byte> bytes) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
    return verifier.VerifyBuffer<Table>(nullptr);
  }
  static View view(std::span<const std::byte> bytes) noexcept { return flatbuffers::GetRoot<Table>(bytes.data()); }
};

namespace {

using Newer = As<evolved::Newer>;
using Odd = As<evolved::Odd>;
inline constexpr Topic<fleet::Reading> readings{"fleet.readings"};
inline constexpr Topic<fleet::Reading> fine{"fleet.fine"};
inline constexpr Topic<Newer> newer_readings{"fleet.readings"};
inline constexpr Topic<Odd> odd_readings{"fleet.readings"};

template <class Value>
Value value_of(const std::string& host) {
  Value value;
  value.host = host;
  return value;
}

}  // namespace

FAR("a permitted evolution of a type just works, whichever side is the younger") {
  Seen old_reads, new_reads;
  auto old_sub = s.in().subscribe(readings, [&](const Message<fleet::Reading>& m) { old_reads.add(m->host()->str()); }).value();
  auto publisher = s.out().publisher(newer_readings).value();
  s.meet(old_sub, publisher);
  auto value = value_of<evolved::NewerT>("new");
  value.zone = "z";
  CHECK(publisher.publish(value)->queued == 1);
  CHECK(s.wait_until([&] { return old_reads.count() == 1; }));
  auto new_sub = s.out().subscribe(Topic<Newer>{"fleet.back"}, [&](const Message<Newer>& m) {
    new_reads.add(m->host()->str() + (m->zone() ? "+" : "-"));
  }).value();
  auto back = s.in().publisher(Topic<fleet::Reading>{"fleet.back"}).value();
  s.meet(new_sub, back);
  CHECK(back.publish(value_of<fleet::ReadingT>("old"))->queued == 1);
  CHECK(s.wait_until([&] { return new_reads.count() == 1; }));
  CHECK(old_reads.all() == std::vector<std::string>{"new"});
  CHECK(new_reads.all() == std::vector<std::string>{"old-"});
}

FAR("a topic that is made when the link is up long since is judged by its type as any other") {
  Seen told, seen;
  auto sub = s.in().subscribe(Pattern<fleet::Reading>::parse("fleet.*").value(),
                              [&](const Message<fleet::Reading>& m) { seen.add(m->host()->str()); },
                              {.on_event = [&](const SubscriptionEvent& event) {
                                if (event.kind == EventKind::schema_mismatch) told.add(event.topic);
                              }}).value();
  auto good = s.out().publisher(fine).value();
  s.meet(sub, good);
  auto odd = s.out().publisher(odd_readings).value();
  for (int i = 0; i < 5; ++i) CHECK(odd.publish(value_of<evolved::OddT>("odd")));
  CHECK(s.wait_until([&] { return told.count() == 1 && s.out_events().count("schema_mismatch fleet.readings") == 1; }));
  // The same for one that is named with the first message.
  auto any = s.out().publisher().value();
  CHECK(any.publish(Topic<Odd>{"fleet.late"}, value_of<evolved::OddT>("odd")));
  CHECK(s.wait_until([&] { return told.count() == 2 && s.out_events().count("schema_mismatch fleet.late") == 1; }));
  CHECK(any.publish(Topic<Newer>{"fleet.newer"}, value_of<evolved::NewerT>("new"))->queued == 1);
  CHECK(s.wait_until([&] { return seen.count() == 1; }));
  CHECK(seen.all() == std::vector<std::string>{"new"});
  CHECK(told.all() == std::vector<std::string>{"fleet.readings", "fleet.late"});
  CHECK(sub.stats().dropped[DropReason::malformed] == 0);
}

FAR("types that disagree: both sides learn the field, no handler sees a message, link and other topics stay") {
  Seen told, seen;
  auto sub = s.in().subscribe(Pattern<fleet::Reading>::parse("fleet.*").value(),
                              [&](const Message<fleet::Reading>& m) { seen.add(m->host()->str()); },
                              {.on_event = [&](const SubscriptionEvent& event) {
                                if (event.kind == EventKind::schema_mismatch) told.add(event.topic + ' ' + event.detail);
                              }}).value();
  auto odd = s.out().publisher(odd_readings).value();
  auto good = s.out().publisher(fine).value();
  s.meet(sub, good);
  for (int i = 0; i < 5; ++i) CHECK(odd.publish(value_of<evolved::OddT>("odd")));
  CHECK(s.wait_until([&] { return told.count() == 1 && s.out_events().count("schema_mismatch fleet.readings") == 1; }));
  CHECK(told.all()[0].find("fleet.Reading.load") != std::string::npos);
  CHECK(s.in_events().count("schema_mismatch fleet.readings") == 1);
  for (const std::string& event : s.out_events().seen.all()) {
    if (event.starts_with("schema_mismatch")) CHECK(event.find("fleet.Reading.load") != std::string::npos);
  }
  // Each side is told of its own type as the one here.
  const auto in_says = s.in_log().of("link.schema_mismatch");
  REQUIRE(in_says.size() == 1);
  CHECK(in_says[0].find("topic=fleet.readings") != std::string::npos);
  CHECK(in_says[0].find("here double, there string") != std::string::npos);
  const auto out_says = s.out_log().of("link.schema_refused");  // told before the event that was waited for
  REQUIRE(out_says.size() == 1);
  CHECK(out_says[0].find("topic=fleet.readings") != std::string::npos);
  CHECK(out_says[0].find("there double, here string") != std::string::npos);
  for (int i = 0; i < 3; ++i) CHECK(good.publish(value_of<fleet::ReadingT>("good"))->queued == 1);
  CHECK(s.wait_until([&] { return seen.count() == 3; }));
  CHECK(seen.all() == std::vector<std::string>{"good", "good", "good"});
  CHECK(s.in_events().count("peer_lost") == 0);
  CHECK(s.out_events().count("peer_lost") == 0);
}

NEAR("types that disagree in one bus: log, event and subscription name topic and field, whoever came first") {
  const auto wide = Pattern<fleet::Reading>::parse("fleet.*").value();
  const auto listen = [&](Seen& told) {
    return s.in().subscribe(wide, [](const Message<fleet::Reading>&) {}, {.on_event = [&](const SubscriptionEvent& event) {
                              told.add(std::string{name_of(event.kind)} + ' ' + event.topic + event.peer + ' ' + event.detail);
                            }}).value();
  };
  Seen before, after;
  auto earlier = listen(before);
  auto odd = s.out().publisher(odd_readings).value();
  auto later = listen(after);
  CHECK(odd.publish(value_of<evolved::OddT>("odd"))->dropped == 2);
  CHECK(s.wait_until([&] { return before.count() == 1 && after.count() == 1; }));
  for (const Seen* told : {&before, &after}) {
    CHECK(told->all()[0].starts_with("schema_mismatch fleet.readings "));
    CHECK(told->all()[0].find("fleet.Reading.load") != std::string::npos);
  }
  CHECK(s.in_events().count("schema_mismatch fleet.readings") == 2);
  const auto logged = s.in_log().of("topic.schema_mismatch");
  REQUIRE(logged.size() == 2);
  for (const std::string& line : logged) {
    CHECK(line.find("topic=fleet.readings") != std::string::npos);
    CHECK(line.find("subscription=fleet.*") != std::string::npos);
    CHECK(line.find("here string, there double") != std::string::npos);
  }
}

TEST_CASE("who hears of types that disagree may publish at once, by the publisher that named the topic") {
  Bus bus = Bus::open({.name = "b", .executor = inline_executor()}).value();
  auto publisher = bus.publisher().value();
  int heard = 0, refused = 0;
  auto fine_sub = bus.subscribe(fine, [&](const Message<fleet::Reading>&) { ++heard; }).value();
  auto sub = bus.subscribe(Pattern<fleet::Reading>::parse("fleet.*").value(),
                           [](const Message<fleet::Reading>&) {}, {.on_event = [&](const SubscriptionEvent& event) {
                             refused += event.kind == EventKind::schema_mismatch ? 1 : 0;
                             CHECK(publisher.publish(fine, value_of<fleet::ReadingT>("told")));
                           }}).value();
  CHECK(publisher.publish(odd_readings, value_of<evolved::OddT>("odd"))->dropped == 1);
  CHECK(refused == 1);
  CHECK(heard == 1);
}

NEAR("a second type for a name is refused, and the error names it") {
  auto first = s.out().publisher(readings).value();
  const auto second = s.out().publisher(odd_readings);
  REQUIRE(code(second) == is(ErrorCode::schema_mismatch));
  CHECK(second.error().detail().starts_with("fleet.readings: fleet.Reading.load"));
  auto client = s.in().client(Service<fleet::Reading, Bytes>{"fleet.ask"}).value();
  const auto other = s.in().client(Service<Odd, Bytes>{"fleet.ask"});
  REQUIRE(code(other) == is(ErrorCode::schema_mismatch));
  CHECK(other.error().detail().starts_with("fleet.ask: fleet.Reading.load"));
}

FAR("a client and a server of types that disagree: the request ends schema_mismatch and names the field") {
  std::atomic<int> entered{0};
  auto server = s.out().serve(Service<Odd, Bytes>{"fleet.ask"}, [&](Request<Odd>, Responder<Bytes> a) {
    ++entered;
    static_cast<void>(a.reply(bytes("r")));
  }).value();
  auto client = s.in().client(Service<fleet::Reading, Bytes>{"fleet.ask"}).value();
  REQUIRE(client.wait_server(30s));
  auto reply = client.request(value_of<fleet::ReadingT>("q")).get();
  REQUIRE_FALSE(reply);
  CHECK(code(reply) == is(ErrorCode::schema_mismatch));
  CHECK(reply.error().fate() == Fate::not_started);
  CHECK(reply.error().message().find("fleet.Reading.load") != std::string::npos);
  CHECK(entered == 0);
}

FAR("a client that comes when a server of other types is known already is told the same, and an agreeing server is asked") {
  auto server = s.out().serve(Service<Odd, Bytes>{"fleet.ask"}, [](Request<Odd>, Responder<Bytes> a) {
    static_cast<void>(a.reply(bytes("odd")));
  }).value();
  auto raw = s.in().client(Service<Bytes, Bytes>{"fleet.ask"}).value();
  REQUIRE(raw.wait_server(30s));
  auto client = s.in().client(Service<fleet::Reading, Bytes>{"fleet.ask"}).value();
  auto refused = client.request(value_of<fleet::ReadingT>("q")).get();
  CHECK(code(refused) == is(ErrorCode::schema_mismatch));
  CHECK(s.in_events().count("schema_mismatch fleet.ask") == 1);
  auto good = s.in().serve(Service<fleet::Reading, Bytes>{"fleet.ask"}, [](Request<fleet::Reading>, Responder<Bytes> a) {
    static_cast<void>(a.reply(bytes("good")));
  }).value();
  auto reply = client.request(value_of<fleet::ReadingT>("q")).get();
  CHECK(reply);
}
