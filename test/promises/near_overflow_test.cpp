/// P4 in one process: the five policies at both bounds.
#include "promises/near_support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

Numbers waiting_numbers(Inbox<Bytes>& inbox) {
  Numbers got;
  while (auto item = inbox.try_take()) got.push_back(number_in(std::get<Message<Bytes>>(*item)));
  return got;
}

}  // namespace

TEST_CASE("P4 drop_newest keeps exactly the bound in messages and in bytes, and publish says so") {
  World world;
  auto few = world.bus.inbox(numbers, with({.messages = 3})).value();
  auto small = world.bus.inbox(numbers, with({.messages = 100, .bytes = 40})).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 8; ++i) {
    auto said = put(publisher, i);
    REQUIRE(said);
    CHECK(said->sinks == 2);
    CHECK(said->queued == (i < 3 ? 2u : i < 5 ? 1u : 0u));
    CHECK(said->queued + said->dropped == 2);
  }
  CHECK(few.stats().dropped[DropReason::queue_full_newest] == 5);
  CHECK(small.stats().dropped[DropReason::queue_full_newest] == 3);
  CHECK(waiting_numbers(few) == Numbers{0, 1, 2});
  CHECK(waiting_numbers(small) == Numbers{0, 1, 2, 3, 4});
  check_conserved(world.bus);
}

TEST_CASE("P4 drop_oldest lets the oldest of the same Publisher go at both bounds") {
  World world;
  auto few = world.bus.inbox(numbers, with({.messages = 3, .overflow = Overflow::drop_oldest})).value();
  auto small = world.bus.inbox(numbers, with({.messages = 100, .bytes = 40, .overflow = Overflow::drop_oldest})).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 8; ++i) CHECK(put(publisher, i)->queued == 2);
  CHECK(few.stats().dropped[DropReason::queue_full_oldest] == 5);
  CHECK(small.stats().dropped[DropReason::queue_full_oldest] == 3);
  CHECK(waiting_numbers(few) == Numbers{5, 6, 7});
  CHECK(waiting_numbers(small) == Numbers{3, 4, 5, 6, 7});
  check_conserved(world.bus);
}

TEST_CASE("P4 drop_oldest makes room for a large message by as many small ones as it takes; one that never fits is lost itself") {
  World world;
  auto inbox = world.bus.inbox(numbers, with({.messages = 100, .bytes = 40, .overflow = Overflow::drop_oldest})).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 5; ++i) CHECK(put(publisher, i)->queued == 1);
  CHECK(put(publisher, 9, 20)->queued == 1);
  CHECK(put(publisher, 10, 41)->dropped == 1);
  CHECK(inbox.stats().dropped[DropReason::queue_full_oldest] == 3);
  CHECK(inbox.stats().dropped[DropReason::queue_full_newest] == 1);
  CHECK(waiting_numbers(inbox) == Numbers{3, 4, 9});
}

TEST_CASE("P4 drop_oldest spares other Publishers while its own has something waiting, then takes the longest lane") {
  World world;
  auto inbox = world.bus.inbox(numbers, with({.messages = 4, .overflow = Overflow::drop_oldest})).value();
  auto a = world.bus.publisher(numbers).value();
  auto b = world.bus.publisher(numbers).value();
  auto c = world.bus.publisher(numbers).value();
  for (const std::uint64_t n : {10u, 11u, 12u}) CHECK(put(a, n)->queued == 1);
  CHECK(put(b, 20)->queued == 1);
  CHECK(put(b, 21)->queued == 1);  // b's own oldest goes
  CHECK(put(c, 30)->queued == 1);  // c has none: the head of a's
  Numbers left = waiting_numbers(inbox);
  std::sort(left.begin(), left.end());
  CHECK(left == Numbers{11, 12, 21, 30});
  CHECK(inbox.stats().dropped[DropReason::queue_full_oldest] == 2);
}

TEST_CASE("P4 latest keeps one per topic, a newer one at the end of the order, within both bounds") {
  World world;
  auto all = Pattern<Bytes>::parse("t.*").value();
  auto inbox = world.bus.inbox(all, with({.messages = 2, .bytes = 32, .overflow = Overflow::latest})).value();
  auto publisher = world.bus.publisher().value();
  const auto a = Topic<Bytes>::named("t.a").value();
  const auto b = Topic<Bytes>::named("t.b").value();
  const auto c = Topic<Bytes>::named("t.c").value();
  CHECK(publisher.publish(a, payload(1))->queued == 1);
  CHECK(publisher.publish(b, payload(2))->queued == 1);
  CHECK(publisher.publish(a, payload(3))->queued == 1);
  CHECK(publisher.publish(c, payload(4))->dropped == 1);      // a third topic
  CHECK(publisher.publish(b, payload(5, 25))->dropped == 1);  // 8 + 25 > 32
  CHECK(publisher.publish(b, payload(6, 24))->queued == 1);   // 8 + 24: exactly
  CHECK(inbox.stats().dropped[DropReason::conflated] == 2);
  CHECK(inbox.stats().dropped[DropReason::queue_full_newest] == 2);
  CHECK(waiting_numbers(inbox) == Numbers{3, 6});
  CHECK(publisher.publish(c, payload(7, 32))->queued == 1);
  check_conserved(world.bus);
}

TEST_CASE("P4 refuse answers full, counts a refusal, and nothing is taken anywhere, also not as retained") {
  World world;
  auto plain = world.bus.inbox(numbers).value();
  auto roomy = world.bus.inbox(numbers, with({.messages = 100, .overflow = Overflow::refuse})).value();
  auto tight = world.bus.inbox(numbers, with({.messages = 2, .overflow = Overflow::refuse})).value();
  auto publisher = world.bus.publisher(numbers, {.retain = true}).value();
  CHECK(put(publisher, 1)->queued == 3);
  CHECK(put(publisher, 2)->queued == 3);
  for (int again = 0; again < 3; ++again) {
    auto refused = put(publisher, 3);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::full);
  }
  CHECK(tight.stats().refused == 3);
  CHECK(tight.stats().dropped.total() == 0);
  CHECK(plain.stats().offered == 2);
  CHECK(roomy.stats().waiting == 2);
  auto joiner = world.bus.inbox(numbers).value();
  CHECK(waiting_numbers(joiner) == Numbers{2});
  CHECK(tight.try_take().has_value());
  auto taken = put(publisher, 3);
  REQUIRE(taken);
  CHECK(taken->queued == 4);
  auto last = waiting_numbers(plain);
  CHECK(last == Numbers{1, 2, 3});
  check_conserved(world.bus);
}

TEST_CASE("P4 block waits up to d in total, then loses the newest") {
  World world;
  auto one = world.bus.inbox(numbers, with({.messages = 1, .overflow = Overflow::block, .block_for = milliseconds{30}})).value();
  auto two = world.bus.inbox(numbers, with({.messages = 1, .overflow = Overflow::block, .block_for = milliseconds{50}})).value();
  auto publisher = world.bus.publisher(numbers).value();
  CHECK(put(publisher, 1)->queued == 2);
  auto said = put(publisher, 2);
  REQUIRE(said);
  CHECK(said->dropped == 2);
  CHECK_FALSE(said->would_deadlock);
  CHECK(world.clock->now() - Instant{} == milliseconds{50});
  check_conserved(world.bus);
}

TEST_CASE("P4 block on a manual executor drives the handler until there is room") {
  World world;
  Numbers seen;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { seen.push_back(number_in(m)); },
                                 with({.messages = 2, .overflow = Overflow::block, .block_for = milliseconds{30}})).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 20; ++i) CHECK(put(publisher, i)->queued == 1);
  world.settle();
  CHECK(seen.size() == 20);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("P4 block gives up after d of the bus's time and counts the newest as lost") {
  World world;
  auto stuck = pool_executor({.threads = 1}).value();
  Bus bus = Bus::open({.executor = stuck}).value();
  std::atomic<bool> go{false};
  std::atomic<int> entered{0};
  auto sub = bus.subscribe(numbers, [&](const Message<Bytes>&) { ++entered; entered.notify_all(); go.wait(false); },
                           with({.messages = 1, .overflow = Overflow::block, .block_for = milliseconds{20}})).value();
  auto publisher = bus.publisher(numbers).value();
  CHECK(put(publisher, 0)->queued == 1);
  entered.wait(0);
  CHECK(put(publisher, 1)->queued == 1);
  const Instant before = steady_clock()->now();
  CHECK(put(publisher, 2)->dropped == 1);
  const Duration waited = steady_clock()->now() - before;
  MESSAGE("waited " << waited.count() / 1000 << " us of 20000");
  CHECK(waited >= milliseconds{20});
  CHECK(waited < milliseconds{300});
  CHECK(sub.stats().dropped[DropReason::queue_full_newest] == 1);
  go = true;
  go.notify_all();
  CHECK(bus.drain(seconds{10}).complete);
  CHECK(entered.load() == 2);
}

TEST_CASE("P4 block in a handler of the same executor never waits and says would_deadlock") {
  World world;
  auto publisher = world.bus.publisher(numbers).value();
  int calls = 0;
  Published said;
  auto start = world.bus.publisher(Topic<Bytes>{"start"}).value();
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>&) { ++calls; },
                                 with({.messages = 1, .overflow = Overflow::block, .block_for = seconds{9}})).value();
  auto outer = world.bus.subscribe(Topic<Bytes>{"start"}, [&](const Message<Bytes>&) {
    CHECK(put(publisher, 1)->queued == 1);
    said = put(publisher, 2).value();
  }).value();
  CHECK(put(start, 0)->queued == 1);
  world.settle();
  CHECK(said.would_deadlock);
  CHECK(said.dropped == 1);
  CHECK(calls == 1);
  CHECK(world.clock->now() == Instant{});
}

TEST_CASE("an interceptor is left once for each publish that it let pass, also for one that is told would_deadlock") {
  struct Count final : Interceptor {
    Verdict enter(const Crossing&) noexcept override { return ++entered, Verdict::pass(); }
    void leave(const Crossing&, const Error* error) noexcept override {
      ++left;
      failed += error != nullptr;
    }
    int entered = 0, left = 0, failed = 0;
  };
  for (const bool one_thread : {false, true}) {
    for (const bool any : {false, true}) {
      CAPTURE(one_thread);
      CAPTURE(any);
      const auto loop = manual_executor();
      const auto count = std::make_shared<Count>();
      Bus bus = Bus::open({.executor = loop, .interceptors = {count}}).value();
      auto publisher = bus.publisher(numbers, {.one_thread = one_thread}).value();
      auto of_any = bus.publisher({.one_thread = one_thread}).value();
      const auto publish = [&](std::uint64_t number) {
        const auto bytes = std::as_bytes(std::span{&number, 1});
        return any ? of_any.publish(numbers, bytes) : publisher.publish(bytes);
      };
      int refused = 0;
      auto subscription = bus.subscribe(numbers, [&](const Message<Bytes>&) {
        if (const auto again = publish(99); !again) refused += again.error().code() == ErrorCode::would_deadlock;
      }, with({.messages = 1, .overflow = Overflow::block, .block_for = seconds{9}})).value();
      for (std::uint64_t i = 0; i < 3; ++i) CHECK(publish(i));
      CHECK(refused > 0);
      CHECK(count->failed == refused);
      CHECK(count->left == count->entered);
    }
  }
}

TEST_CASE("P4 a handler that runs while its publish waits for room is told so when it publishes there, and nothing is lost") {
  for (const bool one_thread : {false, true}) {
    CAPTURE(one_thread);
    World world;
    auto publisher = world.bus.publisher(numbers, {.one_thread = one_thread}).value();
    Numbers first_seen, second_seen;
    std::vector<ErrorCode> told;
    const Queue one{.messages = 1, .overflow = Overflow::block, .block_for = seconds{9}};
    auto first = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) {
      first_seen.push_back(number_in(m));
      if (m.sequence() == 1) told.push_back(put(publisher, 99).error().code());
    }, with(one)).value();
    auto second = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { second_seen.push_back(number_in(m)); }, with(one)).value();
    for (std::uint64_t i = 0; i < 6; ++i) CHECK(put(publisher, i)->queued == 2);
    world.settle();
    CHECK(told == std::vector{ErrorCode::would_deadlock});
    CHECK(first_seen == Numbers{0, 1, 2, 3, 4, 5});
    CHECK(second_seen == Numbers{0, 1, 2, 3, 4, 5});
    check_conserved(world.bus);
  }
}

TEST_CASE("P4 with several Publishers the bound is never exceeded and at most one eighth of it stays free") {
  for (const std::size_t bound : {1u, 7u, 64u, 1000u}) {
    for (const std::size_t publishers : {2u, 8u, 40u}) {
      World world;
      auto inbox = world.bus.inbox(numbers, with({.messages = bound})).value();
      std::vector<Publisher<Bytes>> all;
      for (std::size_t i = 0; i < publishers; ++i) all.push_back(world.bus.publisher(numbers).value());
      std::uint64_t first_loss = 0;
      for (std::uint64_t i = 0; i < 3 * bound + publishers; ++i) {
        auto said = put(all[i % publishers], i);
        if (said->dropped && first_loss == 0) first_loss = inbox.stats().waiting;
      }
      CHECK(first_loss <= bound);
      CHECK(first_loss + bound / 8 >= bound);
      CHECK(inbox.stats().waiting <= bound);
      check_conserved(world.bus);
    }
  }
}

TEST_CASE("P4 a slow subscription denies nobody else") {
  World world;
  auto slow = world.bus.inbox(numbers, with({.messages = 1})).value();
  int got = 0;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>&) { ++got; }).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 100; ++i) static_cast<void>(put(publisher, i));
  world.settle();
  CHECK(got == 100);
}

TEST_CASE("what a subscription does not name of its queue is as the topic says, and a whole Queue replaces all") {
  World world;
  constexpr Topic<Bytes> newest{"newest", {.queue = {.messages = 4, .bytes = 300, .overflow = Overflow::latest}}};
  const auto bounds = [&](SubscribeOptions options) {
    auto inbox = world.bus.inbox(newest, std::move(options)).value();
    auto publisher = world.bus.publisher(newest).value();
    for (int i = 0; i < 9; ++i) REQUIRE(put(publisher, static_cast<std::uint64_t>(i)));
    const SinkStats stats = inbox.stats();
    return std::tuple{stats.queue_messages_max, stats.queue_bytes_max, stats.dropped[DropReason::conflated] != 0};
  };
  CHECK(bounds({}) == std::tuple{4u, 300u, true});
  CHECK(bounds({.queue = {.messages = 2}}) == std::tuple{2u, 300u, true});
  CHECK(bounds({.queue = {.bytes = 100}}) == std::tuple{4u, 100u, true});
  CHECK(bounds({.queue = {.overflow = Overflow::drop_oldest}}) == std::tuple{4u, 300u, false});
  CHECK(bounds({.queue = Queue{.messages = 2}}) == std::tuple{2u, Queue{}.bytes, false});
}
