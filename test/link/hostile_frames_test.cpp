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

using FrameBytes = std::vector<std::byte>;

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
    add_body(RecordType::hello, wire::encode(wire::Hello{"evil" + std::to_string(head.incarnation.low), wire::wire_version_min, wire::wire_version, frame_bytes_max, 8, 1'000'000'000, 1 << 20, 1000, 0}));
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
  FrameBytes frame() {
    head.number = static_cast<std::uint16_t>((head.number + 1) % wire::frame_numbers);
    const auto bytes = builder.finish(head);
    FrameBytes copy{bytes.begin(), bytes.end()};
    builder.begin();
    return copy;
  }
  void send() { send_raw(frame()); }
  void send_raw(const FrameBytes& bytes) {
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
  FrameBytes last;
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

FrameBytes noise(std::size_t size, unsigned char with = 0x7f) { return FrameBytes(size, std::byte{with}); }

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

TEST_CASE("a hello whose frames hold nothing is refused, before a message is cut into no pieces") {
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{192}, std::uint64_t{193}, wire::frame_overhead_max - 1}) {
    Siege siege;
    siege.evil.connect();
    siege.evil.greet(bytes);
    CHECK(siege.counters().refused == 1);
    siege.exchange();
  }
}

TEST_CASE("nothing is read behind what ended the connection") {
  Siege siege;
  siege.evil.come();
  siege.evil.name({1, false, "t", {"test.Tick", 77}, 1, 1});
  siege.evil.send();
  siege.evil.add({.type = RecordType::hello});
  const FrameBytes bad = siege.evil.frame();
  siege.evil.add({.type = RecordType::message, .name = 1, .number = 1});
  const FrameBytes behind = siege.evil.frame();
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

TEST_CASE("frames cut off, too long, of another version or noise end their connection only") {
  const std::vector<std::function<void(FrameBytes&)>> harms{
      [](FrameBytes& f) { f.resize(f.size() / 2); },
      [](FrameBytes& f) { f.resize(f.size() + 16); },
      [](FrameBytes& f) { f[8] = std::byte{9}; },
      [](FrameBytes& f) { f = noise(3); },
      [](FrameBytes& f) { f.clear(); },
      [](FrameBytes& f) {
        // A record that reaches beyond the frame, with a checksum that agrees.
        f[wire::frame_header_bytes + 6] = std::byte{0xff};
        repair_checksum(f);
      },
  };
  for (const auto& harm : harms) {
    Siege siege;
    siege.evil.come();
    siege.evil.add({.type = RecordType::grant, .mark = 1});
    FrameBytes frame = siege.evil.frame();
    harm(frame);
    siege.evil.send_raw(frame);
    CHECK_FALSE(siege.evil.is_connected());
    std::uint64_t faults = 0;
    for (const auto& one : siege.counters().frame_faults) faults += one;
    CHECK(faults == 1);
    siege.exchange();
  }
}

TEST_CASE("a wrong epoch and a repeated frame are counted and ignored") {
  Siege siege;
  siege.evil.come();
  siege.evil.send_raw(FrameBytes{siege.evil.last});
  CHECK(siege.counters().repeated_frames == 1);
  siege.evil.head.epoch = 6;
  siege.evil.add({.type = RecordType::hello});
  siege.evil.send();
  CHECK(siege.counters().foreign_frames == 1);
  CHECK(siege.evil.is_connected());
  siege.exchange();
}

TEST_CASE("tables that are deep, dear or no tables end the connection") {
  wire::ServeBody many;
  for (int i = 0; i < 80'000; ++i) many.offered.push_back({"s", {}, {}});
  for (const wire::Body& body : {wire::encode(many), wire::Body(5u << 20, std::byte{4}), wire::Body(64, std::byte{0xff})}) {
    Siege siege;
    siege.evil.come();
    siege.evil.add_body(RecordType::serve, body);
    siege.evil.send();
    CHECK(siege.counters().malformed_bodies == 1);
    CHECK_FALSE(siege.evil.is_connected());
    siege.exchange();
  }
}

TEST_CASE("a greeting that never ends is given up after three heartbeats") {
  Siege siege;
  siege.evil.connect();
  siege.run(2900ms);
  CHECK(siege.evil.is_connected());
  siege.run(200ms);
  CHECK_FALSE(siege.evil.is_connected());
  siege.exchange();
}

TEST_CASE("a flood of names ends at its limit") {
  Siege siege;
  siege.evil.come();
  for (std::uint32_t id = 1; id <= names_per_link_max + 1; ++id) {
    siege.evil.name({id, true, "n" + std::to_string(id), {}});
    if (id % 512 == 0) siege.evil.send();
  }
  CHECK(siege.evil.is_connected());
  siege.evil.send();
  CHECK_FALSE(siege.evil.is_connected());
  CHECK(siege.counters().malformed_bodies == 1);
  siege.exchange();
}

TEST_CASE("records that claim 16 MiB and never come whole take no more than one such record a connection") {
  Siege siege;
  const std::size_t before = siege.victim.memory->bytes_used();
  for (std::uint64_t bomb = 0; bomb < 40; ++bomb) {
    siege.evil.come(100 + bomb);
    siege.evil.name({1, false, "t", {"test.Tick", 77}, 1, 1});
    const wire::FragmentBody claimed{std::size_t{16} << 20, 0};
    const wire::Body meta = wire::encode(wire::MetaFields{.fragment = &claimed});
    const FrameBytes piece = noise(64);
    siege.evil.add({.type = RecordType::message, .name = 1, .number = 1, .payload = piece, .meta = meta});
    siege.evil.send();
    CHECK(siege.evil.is_connected());
    CHECK(siege.victim.memory->bytes_used() <= siege.victim.memory->bytes_max());
    if (bomb % 2 == 0) siege.evil.transport.disconnect(siege.evil.connection);
    siege.run();
    siege.exchange();
  }
  siege.evil.transport.stop();
  siege.run(10s);
  siege.exchange();
  CHECK(siege.victim.memory->bytes_used() <= before + (std::size_t{1} << 20));
}

TEST_CASE("grants of more than was sent grant nothing") {
  Siege siege;
  siege.evil.come();
  siege.evil.add_body(RecordType::subscribe, wire::encode(subscription(9, "t")));
  siege.evil.add({.type = RecordType::grant, .number = UINT32_MAX, .mark = UINT64_MAX});
  siege.evil.add({.type = RecordType::subscription_grant, .name = 9, .number = UINT32_MAX, .mark = UINT64_MAX});
  siege.evil.add({.type = RecordType::item_grant, .number = UINT32_MAX, .mark = 1});
  siege.evil.send();
  CHECK(siege.evil.is_connected());
  REQUIRE(siege.victim.sinks.size() == 2);
  // The evil one never grants: what is on its way to it has an end.
  std::size_t taken = 0;
  const AnyMessage message = siege.victim.make(std::string(1000, 'x'));
  for (int i = 0; i < 10'000; ++i)
    taken += siege.victim.sinks[1]->offer(*wire::envelope_of(message), {}) == wire::Offer::taken ? 1 : 0;
  siege.run();
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::message)] <= 8);
  siege.exchange();
}

TEST_CASE("items of a stream beyond its credit end the request, once") {
  struct Reader final : Asker {
    std::uint32_t stream_items(std::uint64_t) const noexcept override { return 2; }
    wire::ItemSent item(std::uint64_t, wire::Envelope* item) noexcept override {
      if (items == 2) return wire::ItemSent::no_credit;
      ++items;
      midplane::detail::release(item);
      return wire::ItemSent::queued;
    }
    int items = 0;
  };
  Siege siege;
  siege.evil.come();
  auto sink = siege.victim.links->service_sink(siege.victim.up.at(1).id, "ask").value();
  Reader reader;
  static_cast<void>(siege.victim.ask(*sink, reader, 1, "stream"));
  siege.run();
  for (std::uint32_t number = 1; number <= 5; ++number) siege.evil.add({.type = RecordType::item, .number = number, .mark = 1});
  siege.evil.add({.type = RecordType::finished, .mark = 1});
  siege.evil.send();
  CHECK(reader.items == 2);
  REQUIRE(reader.failures.size() == 1);
  CHECK(reader.failures[0].second.code() == ErrorCode::malformed);
  CHECK(reader.replies.empty());
  CHECK(siege.counters().stale_replies >= 3);
  siege.exchange();
}
