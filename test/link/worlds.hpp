#pragma once
/// Two and more links in one thread: a network in memory that delivers when told to, a clock that stands still, and
/// hosts that write down what they are told.

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <midplane/names.hpp>

#include "link/links.hpp"
#include "wire/payload_memory.hpp"

namespace midplane::inline v0::link::testing {

struct StandingClock final : Clock {
  Instant at{1'000'000};
  [[nodiscard]] Instant now() const noexcept override { return at; }
};

/// Runs timers in order of their instants when the clock is moved.
struct SteppedExecutor final : Executor {
  explicit SteppedExecutor(StandingClock& driven) : clock{driven} {}
  void submit(Work& work) noexcept override { work.run(); }
  void start(TimerWork& timer) noexcept override { timers.push_back(&timer); }
  bool cancel(TimerWork& timer) noexcept override { return std::erase(timers, &timer) != 0; }
  [[nodiscard]] bool runs_here() const noexcept override { return false; }
  [[nodiscard]] bool may_wait_here() const noexcept override { return false; }
  [[nodiscard]] bool is_driven() const noexcept override { return true; }
  bool stop(Instant) noexcept override { return true; }
  bool fire_next(Instant until) {
    const auto next = std::min_element(timers.begin(), timers.end(), [](auto* a, auto* b) { return a->due < b->due; });
    if (next == timers.end() || (*next)->due > until) return false;
    TimerWork* timer = *next;
    timers.erase(next);
    clock.at = std::max(clock.at, timer->due);
    timer->fire();
    return true;
  }
  StandingClock& clock;
  std::vector<TimerWork*> timers;
};

class WireTransport;

/// Frames and events in the order they happened, delivered one at a time by `step`.
struct Network {
  std::map<std::string, WireTransport*, std::less<>> listeners;
  std::deque<std::function<void()>> events;
  std::uint64_t connections = 0;
  std::set<const WireTransport*> alive;  ///< what happens to one that is gone happens to nobody
  /// Sees and may change every frame before it is delivered; false loses the frame.
  std::function<bool(std::vector<std::byte>&)> tap;
  /// In its turn, unless `whose` is gone by then.
  void later(const WireTransport* whose, std::function<void()> event) {
    events.push_back([this, whose, event = std::move(event)] {
      if (alive.contains(whose)) event();
    });
  }
  bool step() {
    if (events.empty()) return false;
    auto event = std::move(events.front());
    events.pop_front();
    event();
    return true;
  }
  void run() {
    while (step()) {
    }
  }
};

class WireTransport final : public Transport {
 public:
  WireTransport(Network& net, std::vector<std::string> listen, std::vector<std::string> dial)
      : net_{net}, listen_{std::move(listen)}, dial_{std::move(dial)} {
    net_.alive.insert(this);
  }
  ~WireTransport() override {
    stop();
    net_.alive.erase(this);
  }

  Result<void> start(TransportContext context) override {
    inbound_ = &context.inbound;
    return ok();
  }
  [[nodiscard]] std::span<const std::string> listen_endpoints() const noexcept override { return listen_; }
  [[nodiscard]] std::span<const std::string> dial_endpoints() const noexcept override { return dial_; }
  Result<std::string> listen(std::string_view endpoint) override {
    net_.listeners[std::string{endpoint}] = this;
    return std::string{endpoint};
  }
  Result<void> dial(std::string_view endpoint) override {
    if (endpoint == "nonsense") return Error{ErrorCode::invalid_endpoint, "no address"};
    ++dials;
    net_.later(this, [this, to = std::string{endpoint}] {
      if (!inbound_) return;
      const auto found = net_.listeners.find(to);
      if (found == net_.listeners.end()) return inbound_->dial_failed(to, {ErrorCode::transport_failed, "nobody there"});
      const ConnectionId id{++net_.connections};
      WireTransport* other = found->second;
      others_[id] = other;
      other->others_[id] = this;
      other->inbound_->up(id, false, to);
      inbound_->up(id, true, to);
    });
    return ok();
  }
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override {
    const auto found = others_.find(id);
    if (!inbound_ || found == others_.end()) return Sent::gone;
    if (room == 0) return Sent::full;
    --room;
    std::vector<std::byte> copy(frame.begin(), frame.end());
    net_.events.push_back([&net = net_, id, to = found->second, bytes = std::move(copy)]() mutable {
      if (net.tap && !net.tap(bytes)) return;
      if (net.alive.contains(to) && to->inbound_ && to->others_.contains(id)) to->inbound_->frame(id, {bytes, nullptr});
    });
    return Sent::taken;
  }
  /// Bytes of a stranger, as if the other end had sent them.
  void inject(ConnectionId id, std::vector<std::byte> bytes) { inbound_->frame(id, {bytes, nullptr}); }
  void make_room(std::size_t frames) {
    room = frames;
    const auto others = others_;
    for (const auto& [id, other] : others) inbound_->writable(id);
  }
  void disconnect(ConnectionId id) noexcept override {
    const auto found = others_.find(id);
    if (found == others_.end()) return;
    net_.later(found->second, [id, other = found->second] { other->end(id); });
    net_.later(this, [this, id] { end(id); });
  }
  void end(ConnectionId id) {
    if (others_.erase(id) != 0 && inbound_) inbound_->down(id, {ErrorCode::transport_failed, "connection ended"});
  }
  [[nodiscard]] bool flushed() const noexcept override { return claims_flushed || net_.events.empty(); }
  void stop() noexcept override {
    if (!inbound_) return;
    inbound_ = nullptr;
    std::erase_if(net_.listeners, [this](const auto& one) { return one.second == this; });
    for (const auto& [id, other] : others_) net_.later(other, [id = id, other = other] { other->end(id); });
    others_.clear();
  }
  [[nodiscard]] ConnectionId only_connection() const { return others_.begin()->first; }
  [[nodiscard]] std::size_t connections() const { return others_.size(); }

  std::size_t room = 1'000'000;
  std::size_t dials = 0;
  bool claims_flushed = false;  ///< as one does that has written everything, whoever reads it

 private:
  Network& net_;
  std::vector<std::string> listen_, dial_;
  Inbound* inbound_ = nullptr;
  std::map<ConnectionId, WireTransport*> others_;
};

/// Counts what reaches it and answers as told.
struct Asker : wire::ReturnAddress {
  void reply(std::uint64_t correlation, wire::Envelope* reply) noexcept override {
    replies.emplace_back(correlation, std::string{reinterpret_cast<const char*>(reply->payload), reply->size});
    midplane::detail::release(reply);
  }
  void fail(std::uint64_t correlation, const Error& error) noexcept override { failures.emplace_back(correlation, error); }
  wire::ItemSent item(std::uint64_t, wire::Envelope*) noexcept override { return wire::ItemSent::gone; }
  void when_writable(std::uint64_t, Function<void()>) noexcept override {}
  [[nodiscard]] bool cancelled(std::uint64_t) const noexcept override { return false; }
  void when_cancelled(std::uint64_t, Function<void()>) noexcept override {}
  void destroy() noexcept override {}
  std::vector<std::pair<std::uint64_t, std::string>> replies;
  std::vector<std::pair<std::uint64_t, Error>> failures;
};

/// A bus without rooms: links, and a diary.
struct World;
struct Bus final : Host {
  Bus(World& world, std::string name, std::uint64_t id, LinkOptions options = {});
  ~Bus();

  void peer_up(const PeerInfo& peer) noexcept override { up.push_back(peer); }
  void peer_lost(const PeerInfo&, const Error& why, bool in_order) noexcept override {
    diary.emplace_back("lost");
    lost.push_back(why.message());
    lost_in_order += in_order ? 1 : 0;
  }
  void peer_succeeds(const PeerInfo& peer, PeerId) noexcept override { successors.push_back(peer.name); }
  void peer_lives(const PeerInfo& peer) noexcept override { alive.push_back(peer.name); }
  void peer_forgotten(PeerId peer, const PeerInfo* successor) noexcept override {
    forgotten.push_back(peer);
    if (successor) successors.push_back(successor->name);
    sinks.clear();
  }
  void peer_refused(const PeerInfo&, const Error& why) noexcept override { refused.push_back(why.code()); }
  void address_not_reached(std::string_view endpoint, const Error& why) noexcept override {
    not_reached.push_back(std::string{endpoint} + ": " + why.message());
  }
  Result<void> peer_subscribes(PeerId peer, const wire::SubscribeBody& subscription) noexcept override {
    if (refuse_subscriptions) return Error{ErrorCode::schema_mismatch, "the types do not agree"};
    subscribed.push_back(subscription);
    if (!topic.empty() && matches(subscription.pattern, topic)) {
      static constexpr TypeInfo tick{"test.Tick", 77, {}};
      auto sink = links->topic_sink(peer, topic, tick);
      if (!sink) return sink.error();
      if (std::find(sinks.begin(), sinks.end(), *sink) == sinks.end()) sinks.push_back(*sink);
      (*sink)->join(subscription.id, retained ? wire::envelope_of(*retained) : nullptr);
    }
    return ok();
  }
  void peer_unsubscribes(PeerId, std::uint32_t id) noexcept override { unsubscribed.push_back(id); }
  void subscription_confirmed(std::uint32_t id, PeerId) noexcept override { confirmed.push_back(id); }
  void subscription_refused(std::uint32_t, PeerId, const Error& why) noexcept override { refusals.push_back(why); }
  void peer_serves(PeerId, const wire::ServeBody& changes) noexcept override {
    for (const auto& one : changes.offered) offered.push_back(one.service);
    for (const auto& one : changes.withdrawn) withdrawn.push_back(one);
  }
  void peer_told(PeerId) noexcept override { ++told; }
  void messages_ended(PeerId) noexcept override {}
  void withdrawal_went_on() noexcept override {}
  void topic_named(PeerId, FarTopic& of) noexcept override { far_topics.push_back(&of); }
  void schema_arrived(PeerId, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept override {
    schemas.emplace_back(fingerprint, bfbs.size());
  }
  std::vector<std::byte> schema_of(std::uint64_t) noexcept override { return std::vector<std::byte>(3); }
  void schema_refused(PeerId, std::uint32_t id, std::string_view of, const Error& why) noexcept override {
    refused_topics.emplace_back(id, std::string{of} + ": " + why.message());
  }
  void subscription_joined(PeerId, const FarTopic&, std::uint32_t id, std::uint64_t) noexcept override { joined.push_back(id); }
  void messages_arrived(PeerId, const FarTopic& of, std::span<wire::Envelope* const> all, const Arrival& how) noexcept override {
    diary.push_back(of.name->text + ' ' + from_to(all.front()->sequence, all.back()->sequence));
    for (wire::Envelope* const message : all) {
      aligned = aligned && reinterpret_cast<std::uintptr_t>(message->payload) % 16 == 0;
      types.push_back(of.type.name);
      arrivals.emplace_back(how.only, std::vector<std::string>(how.groups.begin(), how.groups.end()));
      messages.push_back(AnyMessage::adopt(message, how.only != 0));
    }
  }
  void request_arrived(PeerId, wire::Envelope* request) noexcept override {
    diary.push_back("asked " + request->name->text);
    requests.push_back(AnyMessage::adopt(request, false));
  }
  static std::string from_to(std::uint64_t first, std::uint64_t last) {
    return std::to_string(first) + '-' + std::to_string(last);
  }
  void gap(PeerId, const FarTopic& of, std::uint64_t first, std::uint64_t last) noexcept override {
    diary.push_back("gap " + of.name->text + ' ' + from_to(first, last));
    gaps.emplace_back(first, last);
  }

  void attach(std::vector<std::string> listen, std::vector<std::string> dial);
  AnyMessage make(std::string_view text, wire::Kind kind = wire::Kind::message) {
    wire::Envelope* envelope = depot->acquire(text.size(), true, true);
    auto* payload = envelope->block() + sizeof(wire::Extra);
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), payload);
    envelope->payload = payload;
    envelope->size = static_cast<std::uint32_t>(text.size());
    envelope->kind = kind;
    return AnyMessage::adopt(envelope, false);
  }
  wire::Offer publish(std::string_view text, const wire::Terms& terms = {}) {
    return sinks.at(0)->offer(*wire::envelope_of(make(text)), terms);
  }
  /// Asks over `sink`, with a deadline in `left`.
  wire::Offer ask(ServiceSink& sink, Asker& asker, std::uint64_t correlation, std::string_view text,
                  Duration left = std::chrono::seconds{5});
  void answer(const AnyMessage& request, std::string_view text) {
    wire::Envelope* envelope = wire::envelope_of(request);
    envelope->extra->return_address->reply(envelope->extra->correlation,
                                           static_cast<wire::Envelope*>(make(text, wire::Kind::reply).disown()));
  }
  [[nodiscard]] std::string text(std::size_t i) const {
    return {reinterpret_cast<const char*>(messages.at(i).bytes().data()), messages.at(i).bytes().size()};
  }

  World& world;
  wire::PayloadMemory* memory;
  wire::Depot* depot;
  std::shared_ptr<Links> links;
  WireTransport* transport = nullptr;
  std::string topic;
  bool refuse_subscriptions = false;
  bool aligned = true;

  std::vector<PeerInfo> up;
  std::vector<std::string> lost, not_reached, offered, withdrawn, types;
  std::vector<ErrorCode> refused;
  std::vector<Error> refusals;
  std::vector<wire::SubscribeBody> subscribed;
  std::vector<std::uint32_t> unsubscribed, confirmed;
  std::vector<std::string> diary;  ///< what was told, in order
  std::vector<AnyMessage> messages, requests;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
  std::vector<std::shared_ptr<wire::TopicSink>> sinks;
  std::optional<AnyMessage> retained;
  std::vector<PeerId> forgotten;
  std::vector<std::string> successors, alive;
  std::vector<const FarTopic*> far_topics;
  std::vector<std::pair<std::uint64_t, std::size_t>> schemas;
  std::vector<std::pair<std::uint32_t, std::string>> refused_topics;
  std::vector<std::uint32_t> joined;
  std::vector<std::pair<std::uint32_t, std::vector<std::string>>> arrivals;
  int told = 0, lost_in_order = 0;
};

struct World {
  Network net;
  StandingClock clock;
  std::shared_ptr<Random> random = seeded_random(7);
  SteppedExecutor executor{clock};
  /// Delivers what is on its way, then lets time pass, firing timers in order.
  void run(Duration time = Duration{0}) {
    const Instant until = clock.at + time;
    net.run();
    while (executor.fire_next(until)) net.run();
    clock.at = until;
  }
};

inline Bus::Bus(World& in, std::string name, std::uint64_t id, LinkOptions options) : world{in} {
  memory = wire::PayloadMemory::make(std::pmr::new_delete_resource(), std::size_t{256} << 20);
  depot = memory->open_depot();
  options.bus = std::move(name);
  options.incarnation = {1, id};
  links = Links::make(options, *this, world.clock, *world.random, world.executor, *memory);
}
inline Bus::~Bus() {
  links->stop();
  sinks.clear();
  messages.clear();
  requests.clear();
  links.reset();
  memory->retire(depot);
  memory->abandon();
}
inline void Bus::attach(std::vector<std::string> listen, std::vector<std::string> dial) {
  auto made = std::make_unique<WireTransport>(world.net, std::move(listen), std::move(dial));
  transport = made.get();
  links->attach(std::move(made)).value();
}
inline wire::Offer Bus::ask(ServiceSink& sink, Asker& asker, std::uint64_t correlation, std::string_view text,
                            Duration left) {
  const AnyMessage message = make(text, wire::Kind::request);
  wire::Envelope* envelope = wire::envelope_of(message);
  asker.ref();
  envelope->extra->return_address = &asker;
  envelope->extra->correlation = correlation;
  envelope->extra->deadline = world.clock.now() + left;
  return sink.offer(*envelope);
}

/// Makes the checksum of a frame agree with its bytes.
inline void repair_checksum(std::vector<std::byte>& frame) {
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(frame.data() + 8, frame.size() - 8));
  std::memcpy(frame.data() + 4, &sum, sizeof sum);
}

inline wire::SubscribeBody subscription(std::uint32_t id, std::string pattern, Queue queue = {}) {
  wire::SubscribeBody body;
  body.queue = queue;
  body.id = id;
  body.pattern = std::move(pattern);
  body.type = {"test.Tick", 77};
  return body;
}

}  // namespace midplane::inline v0::link::testing
