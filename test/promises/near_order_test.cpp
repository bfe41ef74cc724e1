/// P1 and P2 in one process.
#include "promises/near_support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("P1 no message enters a handler twice, whatever the executor") {
  for (const auto& executor : {std::shared_ptr<Executor>{inline_executor()}, pool_executor({.threads = 2}).value()}) {
    Bus bus = Bus::open({.executor = executor}).value();
    std::vector<int> seen(20'000);
    auto sub = bus.subscribe(numbers, [&](const Message<Bytes>& m) { ++seen[number_in(m)]; },
                             with({.messages = 64, .overflow = Overflow::drop_oldest})).value();
    auto publisher = bus.publisher(numbers).value();
    for (std::uint64_t i = 0; i < seen.size(); ++i) CHECK(put(publisher, i).has_value());
    CHECK(bus.drain(seconds{30}).complete);
    std::uint64_t entered = 0;
    int most = 0;
    for (const int times : seen) most = std::max(most, times), entered += static_cast<std::uint64_t>(times);
    CHECK(most <= 1);
    const SinkStats stats = sub.stats();
    CHECK(stats.offered == seen.size());
    CHECK(stats.delivered == entered);
    check_conserved(stats);
    bus.close(seconds{5});
    executor->stop(steady_clock()->now() + seconds{5});
  }
}

TEST_CASE("P2 what happens before on one Publisher arrives before, whichever threads publish") {
  for (const Overflow overflow : {Overflow::block, Overflow::drop_oldest, Overflow::drop_newest, Overflow::latest}) {
    Bus bus = Bus::open().value();
    std::vector<std::uint64_t> seen;
    auto sub = bus.subscribe(numbers, [&](const Message<Bytes>& m) { seen.push_back(number_in(m)); },
                             with({.messages = 32, .overflow = overflow, .block_for = seconds{30}})).value();
    auto publisher = bus.publisher(numbers).value();
    std::mutex mutex;
    std::uint64_t next = 0;
    const auto publish = [&] {
      for (int i = 0; i < 5000; ++i) {
        const std::lock_guard lock{mutex};
        static_cast<void>(put(publisher, next++));
      }
    };
    std::thread first{publish};
    std::thread second{publish};
    std::thread third{publish};
    first.join();
    second.join();
    third.join();
    CHECK(bus.drain(seconds{30}).complete);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    if (overflow == Overflow::block) CHECK(seen.size() == next);
    check_conserved(sub.stats());
  }
}

TEST_CASE("P2 an AnyPublisher keeps its order across topics and within one") {
  World world;
  auto all = Pattern<Bytes>::parse("room.>").value();
  Numbers seen;
  auto sub = world.bus.subscribe(all, [&](const Message<Bytes>& m) { seen.push_back(number_in(m)); }).value();
  auto publisher = world.bus.publisher().value();
  const Topic<Bytes> a = Topic<Bytes>::named("room.a").value();
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(publisher.publish(a, payload(i)).has_value());
  world.settle();
  CHECK(seen == Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("P2 a Publisher of one thread keeps order and answers closed after close") {
  World world;
  Numbers seen;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { seen.push_back(m.sequence()); }).value();
  auto publisher = world.bus.publisher(numbers, {.one_thread = true}).value();
  for (std::uint64_t i = 0; i < 5; ++i) CHECK(put(publisher, i)->queued == 1);
  world.settle();
  CHECK(seen == Numbers{1, 2, 3, 4, 5});
  world.bus.close(seconds{1});
  auto late = put(publisher, 6);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code() == ErrorCode::closed);
}
