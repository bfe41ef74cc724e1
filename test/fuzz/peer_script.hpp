#pragma once
/// Steps of a peer, as a script tells them: records of every type with plausible ids, and what the bus under test does
/// meanwhile.

#include "fuzz/stranger.hpp"

namespace midplane::fuzz {

inline constexpr std::uint8_t steps = 34;
inline constexpr std::array<std::string_view, 6> texts{"t", "t.u", "other", "t.>", "refuse.me", "no name"};
inline constexpr std::array<std::string_view, 4> services{"serve", "ask", "_midplane.describe", "bad name"};

struct PeerScript {
  Stranger& world;
  Script& script;
  std::uint32_t names = 0;      ///< given over this connection
  std::uint64_t requests = 0;
  std::map<std::uint64_t, std::uint32_t> items{};  ///< sent of each request of the bus under test
  wire::Record piece{};         ///< what is in pieces
  wire::FragmentBody fragment{};

  std::uint32_t name() {
    const std::uint8_t chosen = script.byte();
    return chosen < 240 && names != 0 ? chosen % names + 1 : static_cast<std::uint32_t>(script.number());
  }
  std::uint32_t low() { return static_cast<std::uint32_t>(script.number()); }
  std::span<const std::byte> payload() { return script.take(script.byte()); }

  wire::Body meta(const wire::FragmentBody* of = nullptr) {
    wire::MetaFields fields{.fragment = of};
    const std::uint8_t parts = script.byte();
    Headers headers;
    if (parts & 1) {
      headers.tenant = script.one_of(texts);
      headers.entries.emplace_back("k", std::string(script.byte(), 'v'));
      fields.headers = &headers;
    }
    const std::array<std::string_view, 2> groups{"g", "h"};
    if (parts & 2) fields.groups = groups;
    if (parts & 4) fields.remaining_ns = static_cast<std::int64_t>(script.number());
    if (parts & 8) fields.subscription = low();
    if (parts & 16) fields.stream_items = low();
    return fields.any() ? wire::encode(fields) : wire::Body{};
  }

  void give_name() {
    wire::NameBody body;
    body.id = script.byte() < 240 ? names + 1 : low();
    body.service = script.yes();
    body.text = body.service ? script.one_of(services) : script.one_of(texts);
    body.type = {"test.Tick", script.yes() ? 77U : 78U};
    body.next_number = script.number();
    body.series = script.below(3);
    names += body.id == names + 1 ? 1 : 0;
    world.add_body(wire::RecordType::names, wire::encode(body));
  }
  void subscribe() {
    wire::SubscribeBody body;
    body.id = low();
    body.pattern = script.one_of(texts);
    body.type = {"test.Tick", script.yes() ? 77U : 78U};
    body.queue.overflow = Overflow{script.below(6)};
    body.queue.messages = script.number();
    body.queue.bytes = script.number();
    if (script.yes()) body.group = "g";
    world.add_body(wire::RecordType::subscribe, wire::encode(body));
  }
  void serve() {
    wire::ServeBody body;
    for (std::uint8_t i = script.below(3); i-- > 0;) body.offered.push_back({std::string{script.one_of(services)}, {}, {}});
    if (script.yes()) body.withdrawn.emplace_back(script.one_of(services));
    world.add_body(wire::RecordType::serve, wire::encode(body));
  }
  void heartbeat() {
    std::vector<wire::LastNumberBody> last;
    for (std::uint8_t i = script.below(3); i-- > 0;) {
      const std::uint32_t of = name();
      last.push_back({of, script.number()});
    }
    world.add_body(wire::RecordType::heartbeat, wire::encode(std::span<const wire::LastNumberBody>{last}));
  }
  void whole(wire::RecordType type) {
    wire::Record record{.type = type};
    record.flags = script.below(4) == 0 ? wire::retained_flag : std::uint8_t{0};
    record.name = name();
    record.number = low();
    record.mark = type == wire::RecordType::request ? ++requests : script.number();
    const wire::Body fields = meta();
    record.payload = payload();
    record.meta = fields;
    world.add(record);
  }
  void first_piece() {
    static constexpr std::array kinds{wire::RecordType::message, wire::RecordType::request, wire::RecordType::reply,
                                      wire::RecordType::item};
    piece = {};
    piece.type = kinds[script.below(kinds.size())];
    piece.flags = script.below(8) == 0 ? wire::retained_flag : std::uint8_t{0};
    piece.name = name();
    piece.number = low();
    piece.mark = script.number();
    fragment = {script.yes() ? script.byte() * std::uint64_t{1024} : script.number(), 0};
    next_piece();
  }
  void next_piece() {
    const std::uint8_t how = script.byte();
    wire::FragmentBody said = fragment;
    if (how >= 240) (how & 1 ? said.offset : said.total) = script.number();
    const std::uint64_t left = fragment.total - std::min(fragment.offset, fragment.total);
    // The rest, half of it, a little more than the rest, or a size of the script's own.
    const std::uint64_t sizes[]{left, left / 2, left + 1 + how / 16, 0};
    const std::uint64_t size = how % 4 == 3 ? script.number() : sizes[how % 4];
    static const std::vector<std::byte> bytes(Stranger::message_bytes_max + 64, std::byte{'f'});
    piece.payload = std::span{bytes}.first(std::min<std::uint64_t>(size, bytes.size()));
    const wire::Body fields = meta(&said);
    piece.meta = fields;
    world.add(piece);
    piece.meta = {};
    fragment.offset += piece.payload.size();
  }
  void failure(wire::RecordType type) {
    world.add_body(type, wire::encode(Error{ErrorCode::busy, "no"}), script.number(), name());
  }
  void answer() {
    if (world.judge.requests.empty()) return;
    const std::size_t at = script.byte() % world.judge.requests.size();
    const AnyMessage request = world.judge.requests[at];
    const wire::Extra& extra = *wire::envelope_of(request)->extra;
    wire::ReturnAddress& to = *extra.return_address;
    const std::uint64_t id = extra.correlation;
    const std::size_t bytes = script.byte() * std::size_t{32};
    switch (script.below(6)) {
      case 0: to.fail(id, {ErrorCode::app_error, "no"}); break;
      case 1: to.reply(id, nullptr); break;
      case 2: {
        AnyMessage item = world.make(bytes, wire::Kind::reply);
        if (!item) return;
        auto* envelope = static_cast<wire::Envelope*>(item.disown());
        if (to.item(id, envelope) != wire::ItemSent::queued) detail::release(envelope);
        return;
      }
      case 3: to.when_cancelled(id, [] {}); return;
      case 4: to.when_writable(id, [] {}); return;
      default: {
        AnyMessage reply = world.make(bytes, wire::Kind::reply);
        if (!reply) return;
        to.reply(id, static_cast<wire::Envelope*>(reply.disown()));
      }
    }
    static_cast<void>(to.cancelled(id));
    world.judge.requests.erase(world.judge.requests.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void publish() {
    const AnyMessage message = world.make(script.byte() * std::size_t{256}, wire::Kind::message);
    if (!message) return;
    for (const auto& [topic, sink] : world.judge.sinks) {
      if (script.yes()) static_cast<void>(sink->offer(*wire::envelope_of(message), {}));
    }
  }
  void ask() {
    if (world.judge.offered.empty() || world.asker.open.size() > 16) return;
    const auto [peer, service] = world.judge.offered[script.byte() % world.judge.offered.size()];
    world.ask(peer, service, script.byte() * std::size_t{128});
  }
  void cancel() {
    if (world.judge.offered.empty() || world.asker.open.empty()) return;
    const auto [peer, service] = world.judge.offered[script.byte() % world.judge.offered.size()];
    const auto sink = world.links->service_sink(peer, service);
    const std::uint64_t correlation = *world.asker.open.begin();
    // Whoever cancels waits for nothing any more; without the request it does nothing.
    world.asker.open.erase(correlation);
    if (sink) (*sink)->cancel(world.asker, correlation);
    else world.asker.open.insert(correlation);
    if (sink) world.asker.cancelled_at(correlation);
  }
  /// A reply, or the item that comes next, of a request of the bus under test.
  void answer_what_was_asked() {
    wire::Record record{.type = script.yes() ? wire::RecordType::item : wire::RecordType::reply};
    record.mark = script.below(8) + 1U;
    if (record.type == wire::RecordType::item) record.number = ++items[record.mark];
    record.payload = payload();
    world.add(record);
  }
  void in_another_version() {
    if (!world.is_connected()) return;
    wire::FrameHead head = world.current().head;
    head.number = static_cast<std::uint16_t>((head.number + 1) % wire::frame_numbers);
    head.version = script.below(4);
    world.add({.type = wire::RecordType::cancel, .mark = 1});
    world.send_as(head);
  }
  void come_again() {
    world.send();
    world.end_connection();
    if (script.yes()) world.pass(std::chrono::seconds{script.byte()});
    const bool dialled = script.yes();
    if (dialled) world.pass(std::chrono::seconds{6});
    world.connect(dialled, script.byte() < 200 ? 7 : script.byte(), 5);
    names = 0;
    requests = 0;
    items.clear();
    world.say_hello(script.byte() < 230 ? 0 : script.number(), script.number() * 1024, low());
  }

  void step() {
    using wire::RecordType;
    switch (script.below(steps)) {
      case 0: return give_name();
      case 1: return subscribe();
      case 2: return world.add({.type = RecordType::unsubscribe, .mark = script.number()});
      case 3: return world.add({.type = RecordType::subscribe_confirmed, .mark = script.number()});
      case 4: return failure(RecordType::subscribe_refused);
      case 5: return serve();
      case 6: return heartbeat();
      case 7: return world.add({.type = RecordType::grant, .number = low(), .mark = script.number()});
      case 8: return world.add({.type = RecordType::subscription_grant, .name = low(), .number = low(), .mark = script.number()});
      case 9: return world.add({.type = RecordType::schema_wanted, .mark = script.number()});
      case 10: return world.add({.type = RecordType::schema, .mark = script.number(), .payload = payload()});
      case 11: return failure(RecordType::schema_refused);
      case 12: return world.add({.type = RecordType::joined, .name = name(), .mark = script.number()});
      case 13:
      case 14: return whole(RecordType::message);
      case 15: return whole(RecordType::request);
      case 16: return whole(RecordType::reply);
      case 17: return whole(RecordType::item);
      case 18: return failure(RecordType::failure);
      case 19: return world.add({.type = RecordType::cancel, .mark = script.number()});
      case 20: return world.add({.type = RecordType::item_grant, .number = low(), .mark = script.number()});
      case 21: return world.add({.type = RecordType::finished, .mark = script.number()});
      case 22: return first_piece();
      case 23:
      case 24: return next_piece();
      case 25: {
        // Any type, any bytes.
        const RecordType type{script.byte()};
        const auto fields = script.take(script.below(64));
        return world.add({.type = type, .name = name(), .mark = script.number(), .payload = payload(), .meta = fields});
      }
      case 26: return world.send(script.yes());
      case 27: {
        if (!world.is_connected()) return;
        wire::FrameHead head = world.current().head;
        switch (script.below(4)) {
          case 0: head.epoch += script.byte(); break;
          case 1: head.incarnation.low ^= script.byte(); break;
          case 2: head.number = static_cast<std::uint16_t>(script.number() % wire::frame_numbers); break;
          default: head.version = script.byte(); break;
        }
        return world.send_as(head);
      }
      case 28: {
        const auto bytes = payload();
        return world.send_raw({bytes.begin(), bytes.end()});
      }
      case 29: return world.send(), publish();
      case 30: return world.send(), ask();
      case 31: return world.send(), answer();
      case 32: return world.send(), world.pass(std::chrono::milliseconds{script.byte() * 10});
      default:
        switch (script.below(12)) {
          case 0: return cancel();
          case 1: return come_again();
          case 2: world.transport->room = script.byte(); return;
          case 3:
            world.transport->room = 1'000;
            if (world.is_connected()) world.transport->inbound->writable(world.current().id);
            return world.settle();
          case 4:
            world.asker.credits += 4;
            if (world.asker.taken) world.asker.taken(script.byte());
            return;
          case 5: world.judge.kept.clear(); return;
          case 6: return answer_what_was_asked();
          case 7: return world.hoard();
          case 8: return world.hoarded.clear();
          case 9: return world.add_body(RecordType::refused, script.yes() ? wire::encode(Error{ErrorCode::closed, "bye"}) : wire::Body{});
          case 10: return in_another_version();
          default: return world.add({.type = RecordType::hello, .payload = payload()});
        }
    }
  }
};

}  // namespace midplane::fuzz
