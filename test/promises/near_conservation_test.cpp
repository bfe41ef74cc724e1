/// P3 in one process: the sum at rest, and snapshots under traffic. The proof by ids is test/ledger.
#include "promises/near_support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("P3 a snapshot under traffic is never negative and at rest the sum is exact") {
  Bus bus = Bus::open().value();
  std::vector<Subscription> subs;
  for (const Overflow overflow : {Overflow::block, Overflow::drop_oldest, Overflow::drop_newest, Overflow::latest, Overflow::refuse})
    subs.push_back(bus.subscribe(numbers, [](const Message<Bytes>&) {},
                                 with({.messages = 16, .overflow = overflow, .block_for = milliseconds{1}})).value());
  std::atomic<int> running{2};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      auto publisher = bus.publisher(numbers).value();
      for (std::uint64_t i = 0; i < 20'000; ++i) static_cast<void>(put(publisher, i));
      --running;
    });
  bool sound = true;
  while (running.load() != 0) {
    for (const Subscription& sub : subs) {
      const SinkStats s = sub.stats();
      sound &= s.offered == s.delivered + s.dropped.total() + s.waiting + s.in_transit;
      sound &= s.waiting <= 16 && s.in_transit <= s.offered;
    }
  }
  for (auto& thread : threads) thread.join();
  CHECK(sound);
  CHECK(bus.drain(seconds{30}).complete);
  for (const Subscription& sub : subs) check_conserved(sub.stats());
  check_conserved(bus);
}

TEST_CASE("P3 counters of ended subscriptions stay in the sum of the bus") {
  World world;
  auto publisher = world.bus.publisher(numbers).value();
  {
    auto sub = world.bus.subscribe(numbers, [](const Message<Bytes>&) {}).value();
    for (std::uint64_t i = 0; i < 3; ++i) CHECK(put(publisher, i)->queued == 1);
    CHECK(world.loop->poll() != 0);
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(put(publisher, i)->queued == 1);
  }
  const Stats stats = world.bus.stats();
  const SinkStats* sink = stats.find_sink("numbers");
  REQUIRE(sink);
  CHECK(sink->offered == 7);
  CHECK(sink->delivered == 3);
  CHECK(sink->dropped[DropReason::unsubscribed] == 4);
  check_conserved(*sink);
}

TEST_CASE("P3 a time to live that passed is counted as expired and never enters") {
  World world;
  Numbers seen;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { seen.push_back(number_in(m)); }).value();
  auto inbox = world.bus.inbox(numbers).value();
  auto publisher = world.bus.publisher(numbers).value();
  CHECK(put(publisher, 1, 8, {.ttl = milliseconds{10}}).has_value());
  CHECK(put(publisher, 2, 8, {.ttl = milliseconds{30}}).has_value());
  CHECK(put(publisher, 3).has_value());
  world.clock->advance(milliseconds{20});
  world.settle();
  CHECK(seen == Numbers{2, 3});
  CHECK(sub.stats().dropped[DropReason::expired] == 1);
  auto first = inbox.try_take();
  REQUIRE(first);
  CHECK(number_in(std::get<Message<Bytes>>(*first)) == 2);
  CHECK(inbox.stats().dropped[DropReason::expired] == 1);
  check_conserved(world.bus);
}

TEST_CASE("P3 an Inbox that is waited on hands out everything, in order") {
  Bus bus = Bus::open().value();
  auto inbox = bus.inbox(numbers, with({.messages = 16, .overflow = Overflow::block, .block_for = seconds{30}})).value();
  std::thread traffic{[&] {
    auto publisher = bus.publisher(numbers).value();
    for (std::uint64_t i = 0; i < 20'000; ++i) static_cast<void>(put(publisher, i));
  }};
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    auto item = inbox.take(seconds{10});
    if (!item || number_in(std::get<Message<Bytes>>(*item)) != i) {
      ++wrong;
      break;
    }
  }
  if (wrong != 0) bus.close(seconds{1});
  traffic.join();
  CHECK(wrong == 0);
}

TEST_CASE("P3 an Inbox counts what it handed out as delivered and what it kept as waiting, then as closed") {
  World world;
  auto inbox = world.bus.inbox(numbers).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 5; ++i) CHECK(put(publisher, i).has_value());
  CHECK(inbox.try_take().has_value());
  CHECK(inbox.stats().waiting == 4);
  check_conserved(inbox.stats());
  world.bus.close(seconds{1});
  CHECK_FALSE(inbox.try_take().has_value());
  CHECK(inbox.stats().dropped[DropReason::closed] == 4);
  check_conserved(inbox.stats());
}
