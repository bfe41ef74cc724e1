#pragma once
/// The links of one bus, and the bytes of a stranger at the other end of every connection.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/judge.hpp"
#include "link/worlds.hpp"
#include "wire/frame.hpp"

namespace midplane::fuzz {

/// Connections whose other end is the script.
class StrangeTransport final : public Transport {
 public:
  explicit StrangeTransport(std::vector<std::string> dial) : dial_{std::move(dial)} {}
  Result<void> start(TransportContext context) override {
    inbound = &context.inbound;
    return ok();
  }
  [[nodiscard]] std::span<const std::string> listen_endpoints() const noexcept override { return {}; }
  [[nodiscard]] std::span<const std::string> dial_endpoints() const noexcept override { return dial_; }
  Result<std::string> listen(std::string_view endpoint) override { return std::string{endpoint}; }
  Result<void> dial(std::string_view) override {
    ++dials;
    return ok();
  }
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override {
    if (!inbound || ended(id)) return Sent::gone;
    if (room == 0) return Sent::full;
    --room;
    wire::FrameReader reader;
    FUZZ_ASSERT(reader.open(frame) == wire::FrameFault::none);
    epoch = reader.head().epoch;
    for (wire::Record record; reader.next(record);) ++records_out;
    bytes_out += frame.size();
    FUZZ_ASSERT(bytes_out < std::size_t{256} << 20);
    return Sent::taken;
  }
  void disconnect(ConnectionId id) noexcept override { ending.push_back(id); }
  [[nodiscard]] bool flushed() const noexcept override { return true; }
  void stop() noexcept override { inbound = nullptr; }
  [[nodiscard]] bool ended(ConnectionId id) const noexcept {
    return std::find(ending.begin(), ending.end(), id) != ending.end();
  }

  Inbound* inbound = nullptr;
  std::vector<ConnectionId> ending;
  std::size_t dials = 0, room = 1'000, records_out = 0, bytes_out = 0;
  std::uint64_t epoch = 0;

 private:
  std::vector<std::string> dial_;
};

struct Connection {
  ConnectionId id;
  bool dialled = false;  ///< by the bus under test
  wire::FrameHead head{};
  bool open = true;
};

class Stranger {
 public:
  static constexpr std::size_t budget = std::size_t{1} << 20;
  static constexpr std::size_t message_bytes_max = std::size_t{128} << 10;

  explicit Stranger(bool dials);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  /// A new connection of the other bus with this number.
  void connect(bool dialled, std::uint64_t incarnation, std::uint64_t epoch);
  void add(const wire::Record& record);
  void add_body(wire::RecordType type, const wire::Body& body, std::uint64_t mark = 0, std::uint32_t name = 0);
  /// Sends the open frame over the connection; `head` is that of the connection, with the next number.
  void send(bool wants_grant = false);
  void send_as(const wire::FrameHead& head);
  void send_raw(std::vector<std::byte> bytes);
  void say_hello(std::uint64_t frame_bytes_max = 0, std::uint64_t window_bytes = 1 << 20, std::uint32_t records = 1000);
  void end_connection();
  /// Ends what the links wanted to be ended, and lets time pass.
  void settle();
  void pass(Duration time);
  [[nodiscard]] bool is_connected() const { return !connections.empty() && current().open; }
  [[nodiscard]] Connection& current() { return connections[chosen % connections.size()]; }
  [[nodiscard]] const Connection& current() const { return connections[chosen % connections.size()]; }
  /// Takes what is left of the payload memory.
  void hoard();
  AnyMessage make(std::size_t bytes, wire::Kind kind);
  void ask(link::PeerId peer, const std::string& service, std::size_t bytes);

  CountingResource resource;
  link::testing::StandingClock clock;
  link::testing::SteppedExecutor executor{clock};
  std::shared_ptr<Random> random = seeded_random(7);
  wire::PayloadMemory* memory;
  wire::Depot* depot;
  Judge judge;
  Asker asker;
  std::shared_ptr<link::Links> links;
  StrangeTransport* transport = nullptr;
  std::vector<Connection> connections;
  std::size_t chosen = 0;
  std::uint64_t correlations = 0;
  std::vector<AnyMessage> hoarded;
  wire::FrameBuilder builder;
};

inline Stranger::Stranger(bool dials)
    : memory{wire::PayloadMemory::make(&resource, budget)}, depot{memory->open_depot()} {
  link::LinkOptions options;
  options.bus = "victim";
  options.incarnation = {1, 100};
  options.message_bytes_max = message_bytes_max;
  options.window_bytes = 1 << 16;
  options.window_records = 64;
  options.requests_max = 8;
  links = link::Links::make(options, judge, clock, *random, executor, *memory);
  judge.links = links;
  links->add_subscription(link::testing::subscription(1, "t")).value();
  links->add_subscription(link::testing::subscription(2, "t.>")).value();
  links->add_service({"serve", {}, {}}).value();
  auto made = std::make_unique<StrangeTransport>(dials ? std::vector<std::string>{"mem:s"} : std::vector<std::string>{});
  transport = made.get();
  links->attach(std::move(made)).value();
  builder.begin();
}

inline Stranger::~Stranger() {
  links->stop();
  FUZZ_ASSERT(asker.open.empty());
  FUZZ_ASSERT(memory->bytes_used() <= budget);
  for (const auto& [id, peer] : judge.peers) FUZZ_ASSERT(!peer.up);
  judge.requests.clear();
  judge.kept.clear();
  hoarded.clear();
  judge.sinks.clear();
  judge.links.reset();
  links.reset();
  memory->retire(depot);
  memory->abandon();
  FUZZ_ASSERT(resource.out == 0);
}

inline void Stranger::connect(bool dialled, std::uint64_t incarnation, std::uint64_t epoch) {
  if (connections.size() >= 16) return;
  const ConnectionId id{connections.size() + 1};
  Connection made{id, dialled, {}, true};
  made.head.incarnation = {incarnation & 1, incarnation};
  made.head.epoch = epoch;
  made.head.number = wire::frame_numbers - 1;
  connections.push_back(made);
  chosen = connections.size() - 1;
  if (dialled && transport->dials == 0) connections.back().dialled = dialled = false;
  if (dialled) --transport->dials;
  transport->inbound->up(id, dialled, "mem:s");
  if (dialled) connections.back().head.epoch = transport->epoch;
  settle();
}

inline void Stranger::add(const wire::Record& record) {
  if (builder.bytes() + record.payload.size() < (std::size_t{1} << 20)) FUZZ_ASSERT(builder.add(record));
}
inline void Stranger::add_body(wire::RecordType type, const wire::Body& body, std::uint64_t mark, std::uint32_t name) {
  add({.type = type, .name = name, .mark = mark, .payload = body});
}

inline void Stranger::send(bool wants_grant) {
  // A number that no frame has would end the connection.
  if (!is_connected() || builder.records() == 0) return builder.begin();
  Connection& over = current();
  over.head.number = static_cast<std::uint16_t>((over.head.number + 1) % wire::frame_numbers);
  over.head.wants_grant = wants_grant;
  send_as(over.head);
}
inline void Stranger::send_as(const wire::FrameHead& head) {
  if (builder.records() != 0) {
    const auto bytes = builder.finish(head);
    send_raw({bytes.begin(), bytes.end()});
  }
  builder.begin();
}
inline void Stranger::send_raw(std::vector<std::byte> bytes) {
  if (!is_connected()) return;
  transport->inbound->frame(current().id, {bytes, nullptr});
  FUZZ_ASSERT(memory->bytes_used() <= budget && resource.out <= budget);
  settle();
}
inline void Stranger::say_hello(std::uint64_t frame_bytes_max, std::uint64_t window_bytes, std::uint32_t records) {
  wire::Hello hello;
  hello.bus = "stranger";
  hello.frame_bytes_max = frame_bytes_max;
  hello.requests_max = 8;
  hello.heartbeat_ns = 1'000'000'000;
  hello.window_bytes = window_bytes;
  hello.window_records = records;
  add_body(wire::RecordType::hello, wire::encode(hello));
  send();
}

inline void Stranger::end_connection() {
  if (!is_connected()) return;
  current().open = false;
  transport->inbound->down(current().id, {ErrorCode::transport_failed, "ended"});
  settle();
}
inline void Stranger::settle() {
  while (!transport->ending.empty()) {
    const ConnectionId id = transport->ending.front();
    for (Connection& one : connections) {
      if (one.id != id || !one.open) continue;
      one.open = false;
      transport->inbound->down(id, {ErrorCode::transport_failed, "ended"});
    }
    std::erase(transport->ending, id);
  }
}
inline void Stranger::pass(Duration time) {
  const Instant until = clock.at + time;
  for (int turns = 0; turns < 1000 && executor.fire_next(until); ++turns) settle();
  clock.at = until;
}

inline AnyMessage Stranger::make(std::size_t bytes, wire::Kind kind) {
  wire::Envelope* envelope = depot->acquire(bytes, true, true);
  if (!envelope) return {};
  auto* payload = envelope->block() + sizeof(wire::Extra);
  std::memset(payload, 'x', bytes);
  envelope->payload = payload;
  envelope->size = static_cast<std::uint32_t>(bytes);
  envelope->kind = kind;
  return AnyMessage::adopt(envelope, false);
}

inline void Stranger::hoard() {
  for (std::size_t bytes = std::size_t{64} << 10; bytes >= 64; bytes /= 4) {
    while (AnyMessage one = make(bytes, wire::Kind::message)) hoarded.push_back(std::move(one));
  }
}

inline void Stranger::ask(link::PeerId peer, const std::string& service, std::size_t bytes) {
  const auto sink = links->service_sink(peer, service);
  const AnyMessage message = make(bytes, wire::Kind::request);
  if (!sink || !wire::envelope_of(message)) return;
  wire::Envelope* envelope = wire::envelope_of(message);
  asker.ref();
  envelope->extra->return_address = &asker;
  envelope->extra->correlation = ++correlations;
  envelope->extra->deadline = clock.now() + std::chrono::seconds{5};
  asker.open.insert(correlations);
  // Refused or dropped: nothing will come.
  if ((*sink)->offer(*envelope) != wire::Offer::taken) asker.open.erase(correlations);
}

}  // namespace midplane::fuzz
