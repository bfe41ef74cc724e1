/// A peer that means harm: every attack is counted or comes to nothing, a good peer goes on exchanging messages
/// meanwhile, and the payload memory is within its budget afterwards.

#include "siege.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

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
  const AnyMessage message = siege.victim.make(std::string(1000, 'x'));
  for (int i = 0; i < 10'000; ++i) static_cast<void>(siege.victim.sinks[1]->offer(*wire::envelope_of(message), {}));
  siege.run();
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::message)] <= 8);
  siege.exchange();
}

TEST_CASE("a grant of what has not left yet does no harm, and the link goes on") {
  Siege siege;
  siege.evil.come();
  siege.evil.add_body(RecordType::subscribe, wire::encode(subscription(9, "t")));
  siege.evil.send();
  REQUIRE(siege.victim.sinks.size() == 2);
  AnyMessage message = siege.victim.make("m");
  wire::envelope_of(message)->extra = nullptr;  // nothing special: the short way
  const auto offer = [&] { return siege.victim.sinks[1]->offer(*wire::envelope_of(message), {}); };
  CHECK(offer() == wire::Offer::taken);
  siege.run();
  siege.victim.transport->room = 0;
  CHECK(offer() == wire::Offer::taken);
  CHECK(offer() == wire::Offer::taken);
  // What was packed so far, and two of it are still here.
  siege.evil.add({.type = RecordType::grant, .number = 3, .mark = 0});
  siege.evil.send();
  CHECK(offer() == wire::Offer::taken);
  CHECK(offer() == wire::Offer::taken);
  siege.victim.transport->make_room(1'000'000);
  siege.run();
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::message)] == 5);
  siege.evil.add({.type = RecordType::grant, .number = 5, .mark = 0});
  siege.evil.send();
  for (const SinkStats& one : siege.victim.links->stats()) {
    if (!one.peer.starts_with("evil") || one.name != "t") continue;
    CHECK(one.offered == 5);
    CHECK(one.delivered == 5);
    CHECK(one.waiting == 0);
  }
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
