#include <doctest/doctest.h>

#include <cstring>

#include "worlds.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

namespace {

struct Pair : World {
  Pair() : a{*this, "a", 1}, b{*this, "b", 2} {
    a.topic = "t";
    b.links->add_subscription(subscription(1, "t")).value();
    a.attach({"mem:a"}, {});
    b.attach({}, {"mem:a"});
    net.tap = [this](std::vector<std::byte>& bytes) {
      wire::FrameReader reader;
      if (reader.open(bytes) == wire::FrameFault::none && reader.head().incarnation == wire::Incarnation{1, 1})
        head = reader.head();
      return true;
    };
    run();
  }
  /// One record as `a` would send it to `b`.
  void say(const wire::Record& record, wire::FrameHead as) {
    as.number = ++head.number;
    wire::FrameBuilder builder;
    builder.begin();
    REQUIRE(builder.add(record));
    const auto frame = builder.finish(as);
    b.transport->inject(b.transport->only_connection(), {frame.begin(), frame.end()});
    run();
  }
  void say(const wire::Record& record) { say(record, head); }
  wire::FrameHead head;
  Bus a, b;
};

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

}  // namespace

TEST_CASE("every kind of broken frame is counted and ends the connection, which comes back") {
  using Break = std::function<void(std::vector<std::byte>&)>;
  const std::vector<std::pair<wire::FrameFault, Break>> breaks{
      {wire::FrameFault::too_short, [](auto& f) { f.resize(20); }},
      {wire::FrameFault::wrong_magic, [](auto& f) { f[0] ^= std::byte{1}; }},
      {wire::FrameFault::wrong_version, [](auto& f) { f[8] ^= std::byte{2}; }},
      {wire::FrameFault::wrong_length, [](auto& f) { f.resize(f.size() - 1); }},
      {wire::FrameFault::wrong_checksum, [](auto& f) { f.back() ^= std::byte{1}; }},
  };
  for (const auto& [fault, damage] : breaks) {
    Pair pair;
    pair.net.tap = [&, damage = damage](std::vector<std::byte>& frame) {
      damage(frame);
      return true;
    };
    CHECK(pair.a.publish("m") == wire::Offer::taken);
    REQUIRE(pair.net.step());
    pair.net.tap = nullptr;
    pair.run(1s);
    CHECK(pair.b.links->counters().frame_faults[static_cast<std::size_t>(fault)] == 1);
    CHECK(pair.b.messages.empty());
    CHECK(pair.b.lost.size() == 1);
    CHECK(pair.a.lost.size() == 1);
    CHECK(pair.b.up.size() == 2);
    CHECK(pair.a.publish("m") == wire::Offer::taken);
    pair.run();
    CHECK(pair.b.messages.size() == 1);
  }
}

TEST_CASE("frames of another epoch or incarnation are counted and ignored") {
  Pair pair;
  wire::FrameHead other = pair.head;
  ++other.epoch;
  pair.say({.type = wire::RecordType::message, .name = 1, .number = 1}, other);
  other = pair.head;
  ++other.incarnation.low;
  pair.say({.type = wire::RecordType::message, .name = 1, .number = 1}, other);
  CHECK(pair.b.links->counters().foreign_frames == 2);
  CHECK(pair.b.messages.empty());
  CHECK(pair.b.lost.empty());
}

TEST_CASE("records of unknown types, unknown names and old numbers are counted and ignored") {
  Pair pair;
  pair.say({.type = wire::RecordType{99}});
  pair.say({.type = wire::RecordType::item});
  pair.say({.type = wire::RecordType::message, .name = 77, .number = 1});
  pair.say({.type = wire::RecordType::message, .name = 0, .number = 1});
  pair.say({.type = wire::RecordType::message, .name = 1, .number = 5});
  pair.say({.type = wire::RecordType::message, .name = 1, .number = 5});
  pair.say({.type = wire::RecordType::reply, .mark = 123});
  pair.say({.type = wire::RecordType::cancel, .mark = 123});
  pair.say({.type = wire::RecordType::unsubscribe, .mark = 123});
  const LinkCounters& counters = pair.b.links->counters();
  CHECK(counters.unknown_records == 1);
  CHECK(counters.unknown_names == 2);
  CHECK(counters.stale_numbers == 1);
  CHECK(counters.stale_replies == 2);
  CHECK(pair.b.messages.size() == 1);
  CHECK(pair.b.gaps == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 4}});
  CHECK(pair.b.lost.empty());
}

TEST_CASE("a body that is not what its type says ends the connection") {
  const auto garbage = bytes_of(std::string(64, '\x7f'));
  for (const auto type : {wire::RecordType::names, wire::RecordType::subscribe, wire::RecordType::serve,
                          wire::RecordType::heartbeat, wire::RecordType::hello, wire::RecordType::subscribe_refused}) {
    Pair pair;
    pair.say({.type = type, .payload = garbage});
    CHECK(pair.b.links->counters().malformed_bodies == 1);
    CHECK(pair.b.lost.size() == 1);
  }
  Pair pair;
  pair.say({.type = wire::RecordType::message, .name = 1, .number = 1, .meta = garbage});
  CHECK(pair.b.links->counters().malformed_bodies == 1);
  CHECK(pair.b.messages.empty());
}

TEST_CASE("names that are given out of turn or are no names end the connection") {
  for (const wire::NameBody& name : {wire::NameBody{7, false, "x", {}}, wire::NameBody{1, false, "x", {}},
                                     wire::NameBody{2, false, "no name", {}}, wire::NameBody{2, false, "", {}}}) {
    Pair pair;
    const wire::Body body = wire::encode(name);
    pair.say({.type = wire::RecordType::names, .payload = body});
    CHECK(pair.b.links->counters().malformed_bodies == 1);
  }
}

TEST_CASE("a stranger that does not greet is dropped") {
  World world;
  Bus a{world, "a", 1};
  a.attach({"mem:a"}, {});
  WireTransport stranger{world.net, {}, {}};
  struct Deaf final : Inbound {
    void up(ConnectionId, bool, std::string_view) noexcept override {}
    void frame(ConnectionId, InboundFrame) noexcept override {}
    void writable(ConnectionId) noexcept override {}
    void down(ConnectionId, const Error&) noexcept override { ++downs; }
    void dial_failed(std::string_view, const Error&) noexcept override {}
    int downs = 0;
  } deaf;
  stranger.start({deaf, world.clock, *world.random, world.executor, 1000}).value();
  SUBCASE("with noise") {
    stranger.dial("mem:a").value();
    world.run();
    CHECK(stranger.send(stranger.only_connection(), bytes_of("GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n")) == Sent::taken);
    world.run();
  }
  SUBCASE("with silence") {
    stranger.dial("mem:a").value();
    world.run(3s);
  }
  CHECK(deaf.downs == 1);
  CHECK(a.up.empty());
}

TEST_CASE("no change of any bytes on the wire does harm") {
  const auto seed = seeded_random(20);
  for (int round = 0; round < 300; ++round) {
    Asker asker;
    World world;
    Bus a{world, "a", 1};
    Bus b{world, "b", 2};
    a.topic = "t";
    b.links->add_subscription(subscription(1, "t")).value();
    a.links->add_service({"ask", {}, {}}).value();
    a.attach({"mem:a"}, {});
    b.attach({}, {"mem:a"});
    const std::uint64_t victim = seed->next() % 12;
    std::uint64_t count = 0;
    world.net.tap = [&](std::vector<std::byte>& frame) {
      if (count++ != victim) return true;
      for (std::uint64_t i = seed->next() % 4 + 1; i-- > 0;)
        frame[seed->next() % frame.size()] ^= std::byte{static_cast<unsigned char>(seed->next() % 255 + 1)};
      // Half of them with a checksum that agrees, so that what lies behind it is reached.
      if (seed->next() % 2 == 0) {
        wire::FrameReader reader;
        if (reader.open(frame) == wire::FrameFault::wrong_checksum) repair_checksum(frame);
      }
      return true;
    };
    world.run();
    if (!b.up.empty()) {
      if (auto sink = b.links->service_sink(b.up[0].id, "ask")) static_cast<void>(b.ask(**sink, asker, 1, "q"));
    }
    for (int i = 0; i < 4; ++i) {
      if (!a.sinks.empty()) static_cast<void>(a.publish("message"));
      world.run();
    }
    for (const AnyMessage& request : a.requests) a.answer(request, "r");
    world.run(10s);
    CHECK(asker.replies.size() + asker.failures.size() <= 1);
  }
}
