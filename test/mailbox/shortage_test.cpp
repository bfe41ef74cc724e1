/// What a mailbox does when it is full or memory is short: it says so, counts it, and works on afterwards.
#include <doctest/doctest.h>

#include <vector>

#include <midplane/executors.hpp>

#include "../short_of_memory.hpp"
#include "../wire/counting_resource.hpp"
#include "base/clock.hpp"
#include "mailbox/pull_box.hpp"
#include "mailbox/runner.hpp"
#include "wire/payload_memory.hpp"
#include "wire/return_address.hpp"

using namespace midplane;
using namespace midplane::mailbox;
using midplane::test::short_of_memory;

namespace {

bool accept(std::span<const std::byte>) noexcept { return true; }

/// An inbox's mailbox and its messages; at the end every one of them has to be home.
struct Box {
  explicit Box(Queue queue) : box{new PullBox{"t", queue, steady_clock(), &accept}} {}
  ~Box() {
    box->close(DropReason::unsubscribed);
    box->unref();
    memory->retire(depot);
    memory->abandon();
    CHECK(resource.out == 0);
  }
  wire::Envelope* make(const wire::Name* name, std::uint32_t size = 8) {
    wire::Envelope* envelope = depot->acquire(size, false, true);
    envelope->name = name;
    envelope->size = size;
    return envelope;
  }
  wire::Envelope* make() { return make(topic); }
  wire::Envelope* make_event() {
    wire::Envelope* envelope = depot->acquire(0, true, true);
    envelope->kind = wire::Kind::event;
    return envelope;
  }
  Offered offer(Lane& lane, wire::Envelope* envelope) {
    bool listed = false;
    const Offered said = box->offer(lane, envelope, listed);
    if (said != Offered::queued) detail::release(envelope);
    if (listed) box->list(lane);
    return said;
  }
  /// How many messages or events could be taken.
  int take_all() {
    int taken = 0;
    for (Taken one; box->try_take(one); ++taken) detail::release(one.envelope);
    return taken;
  }
  [[nodiscard]] std::uint64_t dropped(DropReason reason) const { return box->stats("x").dropped[reason]; }

  Counting resource;
  wire::PayloadMemory* memory = wire::PayloadMemory::make(&resource, std::size_t{64} << 20);
  wire::Depot* depot = memory->open_depot();
  const wire::Name* topic = memory->intern("t");
  PullBox* box;
};

void check_conserved(const Box& box) {
  const SinkStats stats = box.box->stats("x");
  CHECK(stats.offered == stats.delivered + stats.dropped.total() + stats.waiting);
}

/// Keeps what the asker of request 7 was answered.
struct Asker final : wire::ReturnAddress {
  void reply(std::uint64_t, wire::Envelope*) noexcept override {}
  void fail(std::uint64_t correlation, const Error& error) noexcept override {
    if (correlation == 7) codes.push_back(error.code());
  }
  wire::ItemSent item(std::uint64_t, wire::Envelope*) noexcept override { return wire::ItemSent::gone; }
  void when_writable(std::uint64_t, Function<void()>) noexcept override {}
  [[nodiscard]] bool cancelled(std::uint64_t) const noexcept override { return false; }
  void when_cancelled(std::uint64_t, Function<void()>) noexcept override {}
  void destroy() noexcept override {}
  std::vector<ErrorCode> codes;
};

}  // namespace

TEST_CASE("a sender gets no lane while memory is short, wherever it ends, and gets one afterwards") {
  Box box{{.messages = 8}};
  std::vector<Lane*> lanes;
  const char senders[5]{};
  int failed = 0;
  for (const char& sender : senders) {
    Lane* lane = nullptr;
    for (int allocations = 0; !lane && allocations < 10; ++allocations) {
      lane = short_of_memory(allocations, [&] { return box.box->open_lane(&sender); });
      if (!lane) ++failed;
    }
    REQUIRE(lane);
    for (const Lane* other : lanes) CHECK(lane != other);
    lanes.push_back(lane);
  }
  // The ring of each; the list of lanes when it grows: to 1, 2, 4 and 8.
  CHECK(failed >= 5 + 4);
  for (Lane* lane : lanes) CHECK(box.offer(*lane, box.make()) == Offered::queued);
  CHECK(box.take_all() == 5);
}

TEST_CASE("a retained value that a full queue has no room for is counted as lost") {
  Box box{{.messages = 1, .bytes = 100}};
  SUBCASE("by the number of messages") { box.box->put_retained(box.make()); }
  SUBCASE("by their bytes") { box.box->put_retained(box.make(box.topic, 100)); }
  box.box->put_retained(box.make());
  CHECK(box.dropped(DropReason::queue_full_newest) == 1);
  CHECK(box.box->stats("x").waiting == 1);
  check_conserved(box);
  CHECK(box.take_all() == 1);
  box.box->put_retained(box.make());
  CHECK(box.take_all() == 1);
}

TEST_CASE("a retained value without memory for its place is counted as lost, and its room is given back") {
  constexpr std::uint64_t bound = 100;
  Box box{{.messages = bound}};
  std::vector<wire::Envelope*> values;
  for (std::uint64_t i = 0; i < bound; ++i) values.push_back(box.make());
  short_of_memory(0, [&] {
    for (wire::Envelope* value : values) box.box->put_retained(value);
    return true;
  });
  const std::uint64_t lost = box.dropped(DropReason::no_memory);
  CHECK(lost > 0);
  CHECK(box.box->stats("x").waiting == bound - lost);
  check_conserved(box);
  for (std::uint64_t i = 0; i < lost; ++i) box.box->put_retained(box.make());
  CHECK(box.dropped(DropReason::queue_full_newest) == 0);
  box.box->put_retained(box.make());
  CHECK(box.dropped(DropReason::queue_full_newest) == 1);
  CHECK(box.take_all() == bound);
}

TEST_CASE("more events than may wait are refused, and one goes in for each that was taken") {
  Box box{{.messages = 1}};
  for (std::size_t i = 0; i < events_max; ++i) REQUIRE(box.box->put_event(box.make_event(), nullptr));
  CHECK_FALSE(box.box->put_event(box.make_event(), nullptr));
  Taken taken;
  REQUIRE(box.box->try_take(taken));
  CHECK(taken.envelope->kind == wire::Kind::event);
  detail::release(taken.envelope);
  CHECK(box.box->put_event(box.make_event(), nullptr));
  CHECK_FALSE(box.box->put_event(box.make_event(), nullptr));
  box.box->put_retained(box.make());  // events take no room of messages
  CHECK(box.box->stats("x").waiting == 1);
  CHECK(box.take_all() == static_cast<int>(events_max) + 1);
  CHECK(box.box->stats("x").delivered == 1);
}

TEST_CASE("an event without memory for its place is refused, and the next one is not") {
  Box box{{.messages = 1}};
  std::vector<wire::Envelope*> events;
  for (int i = 0; i < 100; ++i) events.push_back(box.make_event());
  const int refused = short_of_memory(0, [&] {
    int count = 0;
    for (wire::Envelope* event : events) count += box.box->put_event(event, nullptr) ? 0 : 1;
    return count;
  });
  CHECK(refused > 0);
  CHECK(box.box->put_event(box.make_event(), nullptr));
  CHECK(box.take_all() == 100 - refused + 1);
  check_conserved(box);
}

TEST_CASE("a message without memory for its topic is lost as no_memory, wherever it ends, and its room is given back") {
  Box box{{.messages = 20, .overflow = Overflow::latest}};
  const char sender{};
  Lane* lane = box.box->open_lane(&sender);
  std::uint64_t lost = 0;
  for (int i = 0; i < 20; ++i) {
    const wire::Name* topic = box.memory->intern("t" + std::to_string(i));
    bool queued = false;
    for (int allocations = 0; !queued && allocations < 10; ++allocations) {
      wire::Envelope* envelope = box.make(topic);
      queued = short_of_memory(allocations, [&] { return box.offer(*lane, envelope); }) == Offered::queued;
      if (!queued) CHECK(box.dropped(DropReason::no_memory) == ++lost);
    }
    REQUIRE(queued);
    CHECK(box.offer(*lane, box.make(topic)) == Offered::queued);  // takes the place of the one before
  }
  CHECK(lost >= 2 * 20);  // each topic: its place in the order, and the way to it
  CHECK(box.dropped(DropReason::queue_full_newest) == 0);
  CHECK(box.dropped(DropReason::conflated) == 20);
  check_conserved(box);
  CHECK(box.take_all() == 20);
}

TEST_CASE("who wants to be told of room is told at once when half is free, otherwise when it is, and never after the end") {
  Box box{{.messages = 4}};
  const char sender{};
  Lane* lane = box.box->open_lane(&sender);
  int told = 0;
  const auto tell = [&told] { ++told; };
  box.box->when_room(tell);
  CHECK(told == 1);
  for (int i = 0; i < 4; ++i) REQUIRE(box.offer(*lane, box.make()) == Offered::queued);
  box.box->when_room(tell);
  box.box->when_room(tell);
  Taken taken;
  REQUIRE(box.box->try_take(taken));
  detail::release(taken.envelope);
  CHECK(told == 1);
  REQUIRE(box.box->try_take(taken));
  detail::release(taken.envelope);
  CHECK(told == 3);
  for (int i = 0; i < 2; ++i) REQUIRE(box.offer(*lane, box.make()) == Offered::queued);
  SUBCASE("without memory it is not kept") {
    short_of_memory(0, [&] { return box.box->when_room(tell), true; });
    CHECK(box.take_all() == 4);
  }
  SUBCASE("what was kept goes with the mailbox") {
    box.box->when_room(tell);
    box.box->close(DropReason::unsubscribed);
    box.box->when_room(tell);
  }
  CHECK(told == 3);
}

TEST_CASE("the asker of a request that a mailbox lost hears why") {
  struct Case {
    DropReason reason;
    ErrorCode answer;
  };
  for (const Case& one : {Case{DropReason::closed, ErrorCode::closed}, Case{DropReason::unsubscribed, ErrorCode::no_server},
                          Case{DropReason::queue_full_oldest, ErrorCode::busy}}) {
    CAPTURE(name_of(one.reason));
    Asker asker;
    Box box{{.messages = 1, .overflow = Overflow::drop_oldest}};
    const char sender{};
    Lane* lane = box.box->open_lane(&sender);
    wire::Envelope* request = box.depot->acquire(8, true, true);
    request->name = box.topic;
    request->size = 8;
    request->kind = wire::Kind::request;
    request->extra->return_address = &asker;
    request->extra->correlation = 7;
    asker.ref();
    REQUIRE(box.offer(*lane, request) == Offered::queued);
    if (one.reason == DropReason::queue_full_oldest) CHECK(box.offer(*lane, box.make()) == Offered::queued);
    else box.box->close(one.reason);
    CHECK(asker.codes == std::vector<ErrorCode>{one.answer});
    CHECK(box.dropped(one.reason) == 1);
  }
}

TEST_CASE("who waits for a message is told once, of what is there or comes, or that the end has come") {
  Box box{{.messages = 4}};
  const char sender{};
  Lane* lane = box.box->open_lane(&sender);
  const auto awaiter = std::make_shared<int>();
  int told = 0;
  const auto tell = [&told] { ++told; };
  SUBCASE("a message that waits") {
    box.offer(*lane, box.make());
    box.box->when_ready(awaiter, tell);
  }
  SUBCASE("a message that comes") {
    box.box->when_ready(awaiter, tell);
    CHECK(told == 0);
    box.offer(*lane, box.make());
  }
  SUBCASE("a retained value") {
    box.box->put_retained(box.make());
    box.box->when_ready(awaiter, tell);
  }
  SUBCASE("an event") {
    box.box->when_ready(awaiter, tell);
    box.box->put_event(box.make_event(), nullptr);
    CHECK(told == 0);
    box.box->poke();
  }
  SUBCASE("the end") {
    box.box->when_ready(awaiter, tell);
    box.box->close(DropReason::unsubscribed);
  }
  SUBCASE("the end before") {
    box.box->close(DropReason::unsubscribed);
    box.box->when_ready(awaiter, tell);
  }
  CHECK(told == 1);
  box.offer(*lane, box.make());
  box.take_all();
  box.offer(*lane, box.make());
  CHECK(told == 1);
}

TEST_CASE("what stands for awaiters that are gone is given back when the next one comes") {
  Box box{{.messages = 4}};
  const auto held = std::make_shared<int>();
  const auto stays = std::make_shared<int>();
  box.box->when_ready(stays, [held] {});
  for (int i = 0; i < 100; ++i) box.box->when_ready(std::make_shared<int>(), [held] {});
  CHECK(held.use_count() == 3);  // this one, the one that stays, and the last
}

TEST_CASE("who asks to be told of a handler's end after it is told at once") {
  RunnerOptions options;
  options.name = "t";
  options.executor = inline_executor();
  options.clock = steady_clock();
  options.verify = &accept;
  options.handler = [](AnyMessage&) {};
  auto* runner = new Runner{std::move(options)};
  int told = 0;
  runner->when_stopped([&told] { ++told; });
  CHECK(told == 0);
  runner->close(DropReason::unsubscribed);
  CHECK(told == 1);
  runner->when_stopped([&told] { told += 10; });
  CHECK(told == 11);
  runner->unref();
}
