/// Greetings: several connections of several buses in both directions at once, in any order, with true and false words.

#include "fuzz/peer_script.hpp"

namespace {

using namespace midplane;
using namespace midplane::fuzz;

void hello(Stranger& world, Script& script) {
  wire::Hello body;
  static constexpr std::array<std::string_view, 4> buses{"stranger", "", "victim", "\x1b[2Jno name"};
  body.bus = script.one_of(buses);
  if (script.below(4) == 0) body.version_min = script.below(4);
  if (script.below(4) == 0) body.version_max = script.below(4);
  body.frame_bytes_max = script.number();
  body.requests_max = static_cast<std::uint32_t>(script.number());
  body.heartbeat_ns = static_cast<std::int64_t>(script.number());
  body.window_bytes = script.number();
  body.window_records = static_cast<std::uint32_t>(script.number());
  body.away_keep_ns = static_cast<std::int64_t>(script.number());
  world.add_body(wire::RecordType::hello, wire::encode(body));
}

void step(Stranger& world, Script& script) {
  using wire::RecordType;
  switch (script.below(16)) {
    case 0: return world.connect(false, script.byte() & 1 ? 7 : script.byte(), script.byte());
    case 1:
      world.pass(std::chrono::seconds{6});
      return world.connect(true, script.byte() & 1 ? 7 : script.byte(), 0);
    case 2: world.chosen = script.byte(); return;
    case 3:
    case 4:
      hello(world, script);
      return world.send();
    case 5:
      // The other bus repeats the epoch that this one drew, or does not.
      if (world.is_connected()) world.current().head.epoch = script.yes() ? world.transport->epoch : script.byte();
      return;
    case 6:
      world.add_body(RecordType::refused, script.yes() ? wire::encode(Error{ErrorCode::duplicate, "twice"}) : wire::Body{});
      return world.send();
    case 7:
      world.add_body(RecordType::serve, wire::encode(wire::ServeBody{}));
      return world.send(script.yes());
    case 8: {
      if (!world.is_connected()) return;
      wire::FrameHead head = world.current().head;
      head.version = script.below(4);
      head.epoch += script.below(2);
      hello(world, script);
      return world.send_as(head);
    }
    case 9: {
      const auto bytes = script.take(script.byte());
      return world.send_raw({bytes.begin(), bytes.end()});
    }
    case 10: {
      // A hello whose table is anything.
      const auto bytes = script.take(script.byte());
      world.add({.type = script.yes() ? RecordType::hello : RecordType{script.byte()}, .payload = bytes});
      return world.send();
    }
    case 11: return world.end_connection();
    case 12: return world.pass(std::chrono::milliseconds{script.byte() * 20});
    case 13: {
      if (!world.is_connected()) return;
      wire::FrameHead head = world.current().head;
      head.incarnation = {script.below(2), script.number()};
      hello(world, script);
      return world.send_as(head);
    }
    case 14: {
      world.transport->inbound->dial_failed("mem:s", {ErrorCode::transport_failed, "nobody"});
      return world.pass(std::chrono::seconds{script.byte()});
    }
    default:
      for (const auto& [topic, sink] : world.judge.sinks) {
        const AnyMessage message = world.make(script.byte() * std::size_t{128}, wire::Kind::message);
        if (message) static_cast<void>(sink->offer(*wire::envelope_of(message), {}));
      }
      world.add_body(RecordType::subscribe, wire::encode(link::testing::subscription(script.byte(), "t")));
      return world.send();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return -1;
  Script script{std::as_bytes(std::span{data, size})};
  Stranger world{true};
  for (int i = 0; i < 200 && script.has_more(); ++i) step(world, script);
  world.pass(std::chrono::seconds{300});
  return 0;
}
