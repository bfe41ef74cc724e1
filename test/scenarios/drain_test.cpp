/// What a drain does with peers: what they had sent is handled, what comes later is not, and whoever waits hears of it.
#include "setting.hpp"

#include <algorithm>
#include <thread>

#include <midplane/extend/balancer.hpp>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> news{"news"};
constexpr Queue ample{.messages = 100'000, .bytes = std::size_t{64} << 20};

bool is_whole(const SinkStats& sink) { return sink.offered == sink.delivered + sink.dropped.total(); }

/// Lets its server's bus drain between choosing it and sending to it.
struct TooLate final : Balancer {
  explicit TooLate(Function<void()> drained) : drain{std::move(drained)} {}
  std::size_t pick(std::span<const Candidate>) noexcept override {
    if (drain) std::exchange(drain, nullptr)();
    return 0;
  }
  Function<void()> drain;
};

}  // namespace

FAR("P16 a bus that drains takes nothing new from its peers, and is done when its handlers are") {
  std::atomic<int> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) { ++seen; }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 500; ++i) REQUIRE(publisher.publish(bytes("x"))->queued == 1);
  const Report drained = s.in().drain(30s);
  CHECK(drained.complete);
  CHECK(drained.waiting == 0);
  const int handled = seen;
  CHECK(publisher.publish(bytes("late"))->sinks == 0);
  // What waited in the publisher's bus may still come: it is counted, and nobody handles it.
  CHECK(s.wait_until([&] {
    const SinkStats sink = sub.stats();
    return sink.offered == 500 && sink.delivered + sink.dropped[DropReason::closed] == 500;
  }));
  CHECK(seen == handled);
  CHECK(drained.delivered == static_cast<std::uint64_t>(handled));
}

FAR("P16 a drain handles what peers had put on the line") {
  std::atomic<int> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) { ++seen; }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 5; ++i) REQUIRE(publisher.publish(bytes("x"))->queued == 1);
  CHECK(s.in().drain(30s).complete);
  CHECK(seen == 5);
  CHECK(sub.stats().delivered == 5);
}

FAR("P16 a drain that begins in a handler ends with its event, and nothing is handled behind it") {
  std::atomic<int> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) {
    if (++seen == 1) CHECK_FALSE(s.in().drain(30s).complete);
  }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  std::uint64_t queued = 0;
  for (int i = 0; i < 5000; ++i) queued += publisher.publish(bytes("x"))->queued;
  CHECK(s.wait_until([&] { return s.in_events().count("drained") == 1; }));
  const int handled = seen;
  CHECK(handled > 0);
  CHECK(s.wait_until([&] { return sub.stats().offered == queued && is_whole(sub.stats()); }));
  CHECK(seen == handled);
  CHECK(s.in_events().count("drained") == 1);
  CHECK(publisher.publish(bytes("late"))->sinks == 0);
}

FAR("P17 a close that begins in a handler ends with its event, and peers hear that the bus was closed") {
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) { CHECK_FALSE(s.in().close(30s).complete); }).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  CHECK(publisher.publish(bytes("x"))->queued == 1);
  CHECK(s.wait_until([&] { return s.in_events().count("closed") == 1 && s.out_log().of("link.peer_lost").size() == 1; }));
  CHECK(s.out_log().of("link.peer_lost")[0].starts_with("info "));
}

TEST_CASE("P17 a bus that a handler closes on a pool of its own ends without a word from outside") {
  const auto events = std::make_shared<EventLog>();
  Bus bus = Bus::open({.name = "own", .event = events}).value();
  auto timer = bus.after(0ms, [&] { bus.close(30s); });
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (events->count("closed") == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  CHECK(events->count("closed own ") == 1);
}

EVERYWHERE("P16 a handler that drains and then closes means one after the other: what waits is handled") {
  std::atomic<std::uint64_t> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) {
    if (++seen != 1) return;
    CHECK_FALSE(s.in().drain(30s).complete);
    CHECK_FALSE(s.in().close(30s).complete);
  }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 500; ++i) static_cast<void>(publisher.publish(bytes("x")));
  CHECK(s.wait_until([&] { return s.in_events().count("closed") == 1; }));
  CHECK(s.in_events().count("drained") == 1);
  const SinkStats stats = sub.stats();
  CHECK(is_whole(stats));
  CHECK(stats.delivered == seen);
  if (!s.is_far()) CHECK(stats.delivered == stats.offered);
  if (s.is_far()) CHECK(stats.delivered > 1);
}

TEST_CASE("P17 a drain that does not end is closed all the same when the time of its close is over") {
  World world;
  int seen = 0;
  const auto never = manual_executor();
  auto slow = world.bus.subscribe(news, [&](const Message<Bytes>&) { ++seen; }, {.executor = never}).value();
  auto publisher = world.bus.publisher(news).value();
  CHECK(publisher.publish(bytes("x")));
  auto timer = world.bus.after(1ms, [&] {
    CHECK_FALSE(world.bus.drain(1s).complete);
    CHECK_FALSE(world.bus.close(2s).complete);
  });
  world.pass(1s);
  CHECK(world.reports->closed == 0);
  world.pass(2s);
  CHECK(world.reports->closed == 1);
  CHECK(world.reports->drained == 0);
  CHECK(seen == 0);
}

TEST_CASE("P16 a drain that a close has cut short is not complete") {
  Bus bus = Bus::open({.name = "cut"}).value();
  std::atomic<bool> inside{false}, release{false};
  auto sub = bus.subscribe(news, [&](const Message<Bytes>&) {
    inside = true;
    while (!release) std::this_thread::yield();
  }).value();
  auto publisher = bus.publisher(news).value();
  for (int i = 0; i < 3; ++i) CHECK(publisher.publish(bytes("x")));
  while (!inside) std::this_thread::yield();
  auto inbox = bus.inbox(Topic<Bytes>{"other"}).value();
  bool complete = true;
  std::thread drainer{[&] { complete = bus.drain(30s).complete; }};
  while (publisher.publish(bytes("x"))) std::this_thread::yield();
  std::thread closer{[&] { bus.close(30s); }};
  CHECK(code(inbox.take(30s)) == is(ErrorCode::closed));  // the close has begun
  release = true;
  drainer.join();
  closer.join();
  CHECK_FALSE(complete);
}

TEST_CASE("P16 a drain looks again at the queues that handlers filled while it looked") {
  constexpr std::uint64_t hops = 50'000;
  constexpr Topic<Bytes> sides[] = {Topic<Bytes>{"left"}, Topic<Bytes>{"right"}};
  Bus bus = Bus::open({.name = "ball"}).value();
  Publisher<Bytes> ways[] = {bus.publisher(sides[0]).value(), bus.publisher(sides[1]).value()};
  std::atomic<std::uint64_t> hopped{0}, refused{0};
  // One message goes to and fro: whichever queue was looked at last is empty, and at most one of them ever is not.
  const auto pass_to = [&](Publisher<Bytes>& other) {
    return [&](const Message<Bytes>& message) {
      if (++hopped < hops && !other.publish(message.bytes())) ++refused;
    };
  };
  auto left = bus.subscribe(sides[0], pass_to(ways[1])).value();
  auto right = bus.subscribe(sides[1], pass_to(ways[0])).value();
  CHECK(ways[0].publish(bytes("ball")));
  CHECK(bus.drain(60s).complete);
  CHECK(hopped == hops);
  CHECK(refused == 0);
}

FAR("P16 a request that comes behind a drain is refused before it ran") {
  std::atomic<int> entered{0};
  auto server = s.out().serve(echo, [&](const Request<Bytes>& q) {
    ++entered;
    return q.bytes();
  }).value();
  auto client = s.in().client(echo, {.balancer = std::make_shared<TooLate>([&] { CHECK(s.out().drain(30s).complete); })}).value();
  REQUIRE(client.wait_server(30s));
  const auto reply = client.request(bytes("q")).get();
  CHECK(code(reply) == is(ErrorCode::no_server));
  CHECK(reply.error().fate() == Fate::not_started);
  CHECK(entered == 0);
}

EVERYWHERE("who waits for a match, a server or an answer hears of a drain") {
  auto publisher = s.in().publisher(news).value();
  auto client = s.in().client(echo, {.wait_for_peers = false}).value();
  Seen told;
  const auto tell = [&](std::string_view what) {
    return [&told, what](Result<void> result) {
      told.add(std::string{what} + ' ' + std::string{result ? "ready" : name_of(result.error().code())});
    };
  };
  publisher.matched(1, tell("match"));
  client.server(tell("server"));
  CHECK(s.in().drain(30s).complete);
  CHECK(s.wait_until([&] { return told.count() == 2; }));
  auto all = told.all();
  std::sort(all.begin(), all.end());
  CHECK(all == std::vector<std::string>{"match closed", "server closed"});
  CHECK(code(publisher.wait_matched(1, 30s)) == is(ErrorCode::closed));
}
