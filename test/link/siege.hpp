#pragma once
/// A peer that means harm, the bus it attacks, and a good peer of that bus meanwhile.

#include <doctest/doctest.h>

#include <cstring>

#include "worlds.hpp"

namespace midplane::inline v0::link::testing {

using wire::RecordType;
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

inline FrameBytes noise(std::size_t size, unsigned char with = 0x7f) { return FrameBytes(size, std::byte{with}); }

}  // namespace midplane::inline v0::link::testing
