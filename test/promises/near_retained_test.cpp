/// Retained values, queue groups and wildcards in one process.
#include "promises/near_support.hpp"

#include <algorithm>

using namespace midplane;
using namespace midplane::test;

namespace {
SubscribeOptions in_group(const char* group, Queue queue = {}) {
  SubscribeOptions options;
  options.queue = queue;
  options.group = group;
  return options;
}
}  // namespace

TEST_CASE("a joiner gets the retained value first, marked, and the value goes with the last Publisher that retains") {
  World world;
  std::optional<Publisher<Bytes>> publisher = world.bus.publisher(numbers, {.retain = true}).value();
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(put(*publisher, i).has_value());
  std::vector<std::pair<std::uint64_t, bool>> seen;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { seen.emplace_back(number_in(m), m.retained()); }).value();
  CHECK(put(*publisher, 4).has_value());
  world.settle();
  CHECK(seen == std::vector<std::pair<std::uint64_t, bool>>{{3, true}, {4, false}});
  publisher.reset();
  auto late = world.bus.inbox(numbers).value();
  CHECK_FALSE(late.try_take().has_value());
  check_conserved(world.bus);
}

TEST_CASE("10000 joins under traffic: the retained value first, then every later message, none twice, none missing") {
  Bus bus = Bus::open().value();
  auto publisher = bus.publisher(numbers, {.retain = true}).value();
  CHECK(put(publisher, 1).has_value());
  std::atomic<bool> ending{false};
  std::thread traffic{[&] {
    for (std::uint64_t i = 2; !ending.load(); ++i) static_cast<void>(put(publisher, i));
  }};
  int wrong = 0;
  int taken = 0;
  for (int join = 0; join < 10'000; ++join) {
    auto inbox = bus.inbox(numbers, with({.messages = 64})).value();
    std::uint64_t expected = 0;
    for (int i = 0; i < 3; ++i) {
      auto item = i == 0 ? inbox.try_take() : std::optional{inbox.take(seconds{10}).value()};
      if (!item) {
        ++wrong;
        break;
      }
      const auto& message = std::get<Message<Bytes>>(*item);
      if (message.retained() != (i == 0)) ++wrong;
      if (i != 0 && number_in(message) != expected) ++wrong;
      expected = number_in(message) + 1;
      ++taken;
    }
  }
  ending = true;
  traffic.join();
  CHECK(wrong == 0);
  CHECK(taken == 30'000);
  bus.close(seconds{5});
  check_conserved(bus);
}

TEST_CASE("a retaining publish that waits for room holds nobody up who subscribes meanwhile, in a handler too") {
  World world;
  std::optional<Subscription> joined;
  int late = 0;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>&) {
    if (!joined) joined = world.bus.subscribe(numbers, [&](const Message<Bytes>&) { ++late; }).value();
  }, with({.messages = 1, .overflow = Overflow::block})).value();
  auto publisher = world.bus.publisher(numbers, {.retain = true}).value();
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(put(publisher, i).has_value());
  world.settle();
  CHECK(joined.has_value());
  CHECK(late == 3);  // 1 as retained, then 2 and 3
}

TEST_CASE("exactly one member of a group gets each message, in turn, and a full member is passed over") {
  World world;
  auto a = world.bus.inbox(numbers, in_group("workers", {.messages = 2})).value();
  auto b = world.bus.inbox(numbers, in_group("workers", {.messages = 100})).value();
  auto plain = world.bus.inbox(numbers).value();
  auto other = world.bus.inbox(numbers, in_group("others")).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 10; ++i) {
    auto said = put(publisher, i);
    CHECK(said->sinks == 3);
    CHECK(said->queued == 3);
  }
  CHECK(a.stats().waiting == 2);
  CHECK(b.stats().waiting == 8);
  CHECK(plain.stats().waiting == 10);
  CHECK(other.stats().waiting == 10);
  std::vector<int> seen(10);
  for (auto* inbox : {&a, &b})
    while (auto item = inbox->try_take()) ++seen[number_in(std::get<Message<Bytes>>(*item))];
  CHECK(seen == std::vector<int>(10, 1));
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(put(publisher, i).has_value());
  CHECK(a.stats().waiting == 2);
  CHECK(b.stats().waiting == 2);
  check_conserved(world.bus);
}

TEST_CASE("a group whose members are all full loses a message once, at the member in turn") {
  World world;
  auto a = world.bus.inbox(numbers, in_group("workers", {.messages = 1})).value();
  auto b = world.bus.inbox(numbers, in_group("workers", {.messages = 1})).value();
  auto publisher = world.bus.publisher(numbers).value();
  for (std::uint64_t i = 0; i < 6; ++i) CHECK(put(publisher, i)->queued == (i < 2 ? 1u : 0u));
  const auto drops = a.stats().dropped[DropReason::queue_full_newest] + b.stats().dropped[DropReason::queue_full_newest];
  CHECK(drops == 4);
  check_conserved(world.bus);
}

TEST_CASE("patterns get what they cover, of topics named before and after them") {
  World world;
  auto early = world.bus.publisher(Topic<Bytes>{"a.x.c"}).value();
  Numbers star, tail;
  auto one = world.bus.subscribe(Pattern<Bytes>::parse("a.*.c").value(), [&](const Message<Bytes>& m) { star.push_back(number_in(m)); }).value();
  auto rest = world.bus.subscribe(Pattern<Bytes>::parse("a.>").value(), [&](const Message<Bytes>& m) { tail.push_back(number_in(m)); }).value();
  auto late = world.bus.publisher(Topic<Bytes>{"a.y.c"}).value();
  auto deep = world.bus.publisher(Topic<Bytes>{"a.y.c.d"}).value();
  auto alone = world.bus.publisher(Topic<Bytes>{"a"}).value();
  std::uint64_t n = 0;
  for (auto* publisher : {&early, &late, &deep, &alone}) CHECK(put(*publisher, n++).has_value());
  world.settle();
  std::sort(star.begin(), star.end());  // between Publishers no order is promised
  std::sort(tail.begin(), tail.end());
  CHECK(star == Numbers{0, 1});
  CHECK(tail == Numbers{0, 1, 2});
}
