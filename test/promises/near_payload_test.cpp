/// Forwarding, adopted memory and messages that outlive their bus.
#include "promises/near_support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("a forwarded message shares its payload and says its own topic") {
  World world;
  auto from = world.bus.publisher(numbers).value();
  auto to = world.bus.publisher(Topic<Bytes>{"onward"}).value();
  const void* here = nullptr;
  const void* there = nullptr;
  std::string topic;
  auto a = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) { here = m.bytes().data(); CHECK(to.publish(m)->queued == 1); }).value();
  auto b = world.bus.subscribe(Topic<Bytes>{"onward"}, [&](const Message<Bytes>& m) { there = m.bytes().data(); topic = m.topic(); }).value();
  CHECK(put(from, 1).has_value());
  world.settle();
  CHECK(here == there);
  CHECK(topic == "onward");
}

TEST_CASE("a message that is forwarded again and again keeps nothing but its payload alive") {
  World world;
  auto publisher = world.bus.publisher(numbers).value();
  std::uint64_t hops = 0;
  auto sub = world.bus.subscribe(numbers, [&](const Message<Bytes>& m) {
    if (++hops < 200'000) CHECK(publisher.publish(m)->queued == 1);
  }).value();
  CHECK(put(publisher, 1).has_value());
  world.settle();
  CHECK(hops == 200'000);
  CHECK(world.bus.stats().payload_memory_bytes < 100'000);
}

TEST_CASE("adopted memory is released exactly once, whatever becomes of the publish") {
  static const std::byte memory[64]{};
  const auto owned = [](int& released) { return Owned{memory, [&released] { ++released; }}; };
  int delivered = 0, nobody = 0, dropped = 0, too_large = 0, full = 0, after_close = 0, empty_handle = 0, unsubscribed = 0, expired = 0, headers_bad = 0, replaced = 0;
  {
    auto clock = testing::manual_clock();
    auto loop = manual_executor(clock);
    Bus bus = Bus::open({.executor = loop, .clock = clock, .limits = {.message_bytes_max = 64}}).value();
    auto publisher = bus.publisher(numbers).value();
    CHECK(publisher.publish(owned(nobody))->sinks == 0);
    CHECK(nobody == 1);
    {
      auto one = bus.inbox(numbers, with({.messages = 1})).value();
      auto two = bus.inbox(numbers, with({.messages = 1})).value();
      CHECK(publisher.publish(owned(delivered))->queued == 2);
      CHECK(publisher.publish(owned(dropped))->dropped == 2);
      CHECK(dropped == 1);
      CHECK(one.try_take().has_value());
      CHECK(delivered == 0);
      CHECK(two.try_take().has_value());
      CHECK(delivered == 1);
      CHECK(publisher.publish(owned(expired), {.ttl = milliseconds{1}})->queued == 2);
      clock->advance(milliseconds{2});
      CHECK_FALSE(one.try_take().has_value());
      CHECK_FALSE(two.try_take().has_value());
      CHECK(expired == 1);
      CHECK(publisher.publish(owned(unsubscribed))->queued == 2);
    }
    CHECK(unsubscribed == 1);
    static const std::byte larger[65]{};
    CHECK_FALSE(publisher.publish(Owned{larger, [&] { ++too_large; }}).has_value());
    CHECK(too_large == 1);
    Headers bad;
    bad.tenant.assign(5000, 'x');
    CHECK_FALSE(publisher.publish(owned(headers_bad), {.headers = &bad}).has_value());
    CHECK(headers_bad == 1);
    auto tight = bus.inbox(numbers, with({.messages = 1, .overflow = Overflow::refuse})).value();
    CHECK(put(publisher, 1).has_value());
    CHECK_FALSE(publisher.publish(owned(full)).has_value());
    CHECK(full == 1);
    Publisher<Bytes> none;
    CHECK_FALSE(none.publish(owned(empty_handle)).has_value());
    CHECK(empty_handle == 1);
    auto retaining = bus.publisher(Topic<Bytes>{"kept"}, {.retain = true}).value();
    CHECK(retaining.publish(owned(replaced)).has_value());
    CHECK(replaced == 0);
    CHECK(put(retaining, 2).has_value());
    CHECK(replaced == 1);
    bus.close(seconds{1});
    CHECK_FALSE(publisher.publish(owned(after_close)).has_value());
  }
  CHECK(after_close == 1);
  CHECK(delivered + nobody + dropped + too_large + full + after_close + empty_handle + unsubscribed + expired + headers_bad + replaced == 11);
}

TEST_CASE("a message may outlive its subscription, its Publisher and its bus") {
  Message<Bytes> kept;
  Message<Bytes> forwarded;
  int released = 0;
  static const std::byte memory[8]{std::byte{42}};
  Message<Bytes> adopted;
  {
    World world;
    auto inbox = world.bus.inbox(numbers).value();
    auto publisher = world.bus.publisher(numbers).value();
    CHECK(put(publisher, 77).has_value());
    kept = std::get<Message<Bytes>>(*inbox.try_take());
    CHECK(publisher.publish(kept).has_value());
    forwarded = std::get<Message<Bytes>>(*inbox.try_take());
    CHECK(publisher.publish(Owned{memory, [&] { ++released; }}).has_value());
    adopted = std::get<Message<Bytes>>(*inbox.try_take());
  }
  CHECK(number_in(kept) == 77);
  CHECK(kept.topic() == "numbers");
  kept = {};
  CHECK(number_in(forwarded) == 77);
  CHECK(released == 0);
  adopted = {};
  CHECK(released == 1);
}

TEST_CASE("handles that outlive their bus answer closed") {
  Publisher<Bytes> publisher;
  Inbox<Bytes> inbox;
  {
    World world;
    publisher = world.bus.publisher(numbers).value();
    inbox = world.bus.inbox(numbers).value();
  }
  CHECK(put(publisher, 1).error().code() == ErrorCode::closed);
  CHECK(inbox.take(milliseconds{1}).error().code() == ErrorCode::closed);
}

TEST_CASE("publish_many publishes each value in order, from a vector, an array or a span, and says what became of all") {
  World world;
  auto inbox = world.bus.inbox(numbers, with({.messages = 7})).value();
  auto publisher = world.bus.publisher(numbers).value();
  const std::vector<std::vector<std::byte>> vector{payload(1), payload(2), payload(3)};
  std::vector<std::byte> array[]{payload(4), payload(5)};
  CHECK(publisher.publish_many(vector)->queued == 3);
  CHECK(publisher.publish_many(array)->queued == 2);
  std::span rest{vector};
  const auto said = publisher.publish_many(rest).value();
  CHECK(said.sinks == 3);
  CHECK(said.queued == 2);
  CHECK(said.dropped == 1);
  Numbers seen;
  while (auto item = inbox.try_take()) seen.push_back(number_in(std::get<Message<Bytes>>(*item)));
  CHECK(seen == Numbers{1, 2, 3, 4, 5, 1, 2});
}
