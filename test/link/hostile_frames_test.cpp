/// A peer that means harm: every attack is counted or comes to nothing, a good peer goes on exchanging messages
/// meanwhile, and the payload memory is within its budget afterwards.

#include <doctest/doctest.h>

#include <cstring>

#include "worlds.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;
using wire::RecordType;

namespace {

using Bytes = std::vector<std::byte>;

/// The other end of a connection, without links of its own.
struct Attacker final : Inbound {
  Attacker(World& in, std::string victim) : world{in}, transport{in.net, {}, {}}, at{std::move(victim)} {
    transport.start({*this, world.clock, *world.random, world.executor, 1000}).value();
  }
  void connect(std::uint64_t incarnation = 66) {
    transport.dial(at).value();
    world.run();
    head = {.incarnation = {6, incarnation}, .epoch = 5, .number = wire::frame_numbers - 1};
  }
  void greet(std::uint64_t frame_bytes_max = 0) {
    add_body(RecordType::hello, wire::encode(wire::Hello{"evil", 1, 1, frame_bytes_max, 8, 1'000'000'000, 1 << 20, 1000, 0}));
    send();
  }
  void come(std::uint64_t incarnation = 66) {
    connect(incarnation);
    greet();
    add_body(RecordType::serve, wire::encode(wire::ServeBody{{{"ask", {}, {}}}, {}}));
    send();
  }
  void add(const wire::Record& record) {
    if (builder.records() == 0) builder.begin();
    REQUIRE(builder.add(record));
  }
  void add_body(RecordType type, const wire::Body& body, std::uint64_t mark = 0) {
    add({.type = type, .mark = mark, .payload = body});
  }
  void name(wire::NameBody body) { add_body(RecordType::names, wire::encode(body)); }
  /// The open frame, as `change` leaves it.
  Bytes frame() {
    head.number = static_cast<std::uint16_t>((head.number + 1) % wire::frame_numbers);
    const auto bytes = builder.finish(head);
    Bytes copy{bytes.begin(), bytes.end()};
    builder.begin();
    return copy;
  }
  void send() { send_raw(frame()); }
  void send_raw(const Bytes& bytes) {
    if (!is_connected()) return;
    last = bytes;
    CHECK(transport.send(connection, bytes) == Sent::taken);
    world.run();
  }
  [[nodiscard]] bool is_connected() const { return ups != downs; }

  void up(ConnectionId id, bool, std::string_view) noexcept override { connection = id, ++ups; }
  void frame(ConnectionId, InboundFrame inbound) noexcept override {
    ++frames_in;
    wire::FrameReader reader;
    if (reader.open(inbound.bytes) != wire::FrameFault::none) return;
    for (wire::Record record; reader.next(record);) ++records_in[static_cast<int>(record.type)];
  }
  void writable(ConnectionId) noexcept override {}
  void down(ConnectionId, const Error&) noexcept override { ++downs; }
  void dial_failed(std::string_view, const Error&) noexcept override {}

  World& world;
  WireTransport transport;
  std::string at;
  wire::FrameHead head{};
  wire::FrameBuilder builder;
  ConnectionId connection{};
  Bytes last;
  std::map<int, std::size_t> records_in;
  std::size_t ups = 0, downs = 0, frames_in = 0;
};

/// `victim` publishes and subscribes `t`; `good` does as well.
struct Siege : World {
  explicit Siege(LinkOptions options = {}) : victim{*this, "victim", 1, options}, good{*this, "good", 2} {
    for (Bus* bus : {&victim, &good}) {
      bus->topic = "t";
      bus->links->add_subscription(subscription(1, "t")).value();
    }
    victim.links->add_service({"serve", {}, {}}).value();
    victim.attach({"mem:victim"}, {});
    good.attach({}, {"mem:victim"});
    run();
    exchange();
  }
  /// Both ways, and the payload memory within its budget.
  void exchange() {
    victim.sinks.resize(1);
    const std::size_t at_victim = victim.messages.size(), at_good = good.messages.size();
    CHECK(victim.publish("to good") == wire::Offer::taken);
    CHECK(good.publish("to victim") == wire::Offer::taken);
    run();
    CHECK(victim.messages.size() == at_victim + 1);
    CHECK(good.messages.size() == at_good + 1);
    CHECK(good.gaps.empty());
    CHECK(victim.memory->bytes_used() <= victim.memory->bytes_max());
  }
  const LinkCounters& counters() const { return victim.links->counters(); }
  Bus victim, good;
  Attacker evil{*this, "mem:victim"};
};

Bytes noise(std::size_t size, unsigned char with = 0x7f) { return Bytes(size, std::byte{with}); }

}  // namespace

TEST_CASE("a retained message that names no subscription ends the connection") {
  Siege siege;
  siege.evil.come();
  siege.evil.name({1, false, "t", {"test.Tick", 77}, 5, 1});
  siege.evil.add({.type = RecordType::message, .flags = wire::retained_flag, .name = 1});
  siege.evil.send();
  CHECK(siege.counters().malformed_bodies == 1);
  CHECK_FALSE(siege.evil.is_connected());
  siege.exchange();
}

TEST_CASE("numbers of a topic never turn over") {
  Siege siege;
  siege.evil.come();
  siege.evil.name({1, false, "t", {"test.Tick", 77}, UINT64_MAX - 1, 1});
  siege.evil.add({.type = RecordType::message, .name = 1, .number = UINT32_MAX - 1});
  siege.evil.send();
  REQUIRE(siege.victim.messages.size() == 2);
  CHECK(siege.victim.messages[1].sequence() == UINT64_MAX - 1);
  std::uint32_t number = UINT32_MAX;
  SUBCASE("by the last one") {}
  SUBCASE("by one far ahead") { number = 7; }
  siege.evil.add({.type = RecordType::message, .name = 1, .number = number});
  siege.evil.add({.type = RecordType::message, .name = 1, .number = number + 1});
  siege.evil.send();
  CHECK(siege.victim.messages.size() == 2);
  CHECK(siege.counters().malformed_bodies == 1);
  CHECK_FALSE(siege.evil.is_connected());
  siege.exchange();
}

TEST_CASE("a hello whose frames hold nothing is refused as malformed, before a message is cut into no pieces") {
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{192}, std::uint64_t{193}, wire::frame_overhead_max - 1}) {
    Siege siege;
    siege.evil.connect();
    siege.evil.greet(bytes);
    CHECK(siege.counters().malformed_bodies == 1);
    CHECK_FALSE(siege.evil.is_connected());
    siege.exchange();
  }
}

TEST_CASE("nothing is read behind what ended the connection") {
  Siege siege;
  siege.evil.come();
  siege.evil.name({1, false, "t", {"test.Tick", 77}, 1, 1});
  siege.evil.send();
  siege.evil.add({.type = RecordType::hello});
  const Bytes bad = siege.evil.frame();
  siege.evil.add({.type = RecordType::message, .name = 1, .number = 1});
  const Bytes behind = siege.evil.frame();
  // Both are on their way before the connection can end.
  CHECK(siege.evil.transport.send(siege.evil.connection, bad) == Sent::taken);
  CHECK(siege.evil.transport.send(siege.evil.connection, behind) == Sent::taken);
  siege.run();
  CHECK(siege.victim.messages.size() == 1);
  siege.exchange();
}

TEST_CASE("a flood of subscriptions over many connections has an end") {
  Siege siege;
  std::uint32_t id = 0;
  for (int round = 0; round < 4; ++round) {
    siege.evil.connect();
    siege.evil.greet();
    for (std::size_t i = 0; i < subscriptions_per_peer_max; ++i) {
      siege.evil.add_body(RecordType::subscribe, wire::encode(subscription(++id, "nobody.publishes.this")));
      if (i % 512 == 511) siege.evil.send();
    }
    siege.evil.send();
    // It never says that this was all.
    siege.evil.transport.disconnect(siege.evil.connection);
    siege.run();
  }
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::subscribe_confirmed)] <= 2 * subscriptions_per_peer_max);
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::subscribe_refused)] >= 2 * subscriptions_per_peer_max);
  siege.exchange();
}
