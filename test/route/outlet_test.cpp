/// Who is offered a message while subscriptions come and go.
#include <doctest/doctest.h>

#include <optional>
#include <thread>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "base/clock.hpp"
#include "mailbox/pull_box.hpp"
#include "route/outlet.hpp"
#include "wire/payload_memory.hpp"

using namespace midplane;

namespace {
inline constexpr Topic<Bytes> topic{"t"};
}

TEST_CASE("a subscription is offered what is published after subscribe returned and nothing after it ended") {
  auto loop = manual_executor();
  Bus bus = Bus::open({.executor = loop}).value();
  auto publisher = bus.publisher(topic).value();
  const std::byte one[8]{};
  CHECK(publisher.publish(std::span<const std::byte>{one})->sinks == 0);
  std::vector<Inbox<Bytes>> inboxes;
  for (std::uint32_t n = 1; n <= 40; ++n) {  // more than a Wakes keeps without memory
    inboxes.push_back(bus.inbox(topic).value());
    CHECK(publisher.publish(std::span<const std::byte>{one})->queued == n);
  }
  for (std::uint32_t n = 40; n-- > 0;) {
    inboxes.pop_back();
    CHECK(publisher.publish(std::span<const std::byte>{one})->queued == n);
  }
}

TEST_CASE("an inline handler may end the subscription that is told next, and publish meanwhile") {
  Bus bus = Bus::open({.executor = inline_executor()}).value();
  auto publisher = bus.publisher(topic).value();
  const std::byte one[8]{};
  std::optional<Subscription> second;
  int calls = 0;
  auto first = bus.subscribe(topic, [&](const Message<Bytes>&) {
    if (++calls != 1) return;
    second.reset();
    CHECK(publisher.publish(std::span<const std::byte>{one}).has_value());
  }).value();
  second = bus.subscribe(topic, [&](const Message<Bytes>&) {}).value();
  CHECK(publisher.publish(std::span<const std::byte>{one})->queued == 2);
  CHECK(calls == 2);
  bus.close(std::chrono::seconds{1});
  for (const SinkStats& sink : bus.stats().sinks) CHECK(sink.offered == sink.delivered + sink.dropped.total() + sink.waiting);
}

TEST_CASE("publishers on one handle, joiners and leavers at once") {
  Bus bus = Bus::open().value();
  auto publisher = bus.publisher(topic, {.retain = true}).value();
  std::atomic<std::uint64_t> offered{0};
  std::atomic<bool> ending{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      const std::byte one[8]{};
      while (!ending) offered += publisher.publish(std::span<const std::byte>{one})->sinks;
    });
  std::atomic<std::uint64_t> marked{0};
  for (int round = 0; round < 200; ++round) {
    auto a = bus.subscribe(topic, [&](const Message<Bytes>& m) { marked += m.retained(); }).value();
    auto b = bus.inbox(topic).value();
    while (b.stats().delivered < 20) {
      static_cast<void>(b.try_take());
    }
  }
  ending = true;
  for (auto& thread : threads) thread.join();
  bus.close(std::chrono::seconds{10});
  CHECK(marked.load() > 0);
  for (const SinkStats& sink : bus.stats().sinks) {
    CHECK(sink.offered == sink.delivered + sink.dropped.total());
    CHECK(sink.offered >= offered.load());
  }
}

TEST_CASE("what is turned away is counted where each message would have gone, under what it would have ended with") {
  wire::PayloadMemory* const memory = wire::PayloadMemory::make(std::pmr::new_delete_resource(), 1 << 20);
  wire::Depot* const depot = memory->open_depot();
  const auto accept = [](std::span<const std::byte>) noexcept { return true; };
  std::vector<mailbox::PullBox*> boxes;
  {
    auto route = std::make_shared<route::TopicRoute>(memory->intern("t"));
    route::Audience audience;
    for (const auto& [id, group, agrees] : {std::tuple{1, "", true}, {2, "", false}, {3, "g", true}, {4, "g", true}}) {
      boxes.push_back(new mailbox::PullBox{"t", {}, steady_clock(), accept});
      const std::lock_guard ordered{route->ordered()};
      route->add({static_cast<route::SubscriptionId>(id), boxes.back(), group, false});
      audience[static_cast<route::SubscriptionId>(id)] = agrees;
    }
    route::Outlet outlet{route, {.audience = &audience}};
    REQUIRE(outlet.refresh());
    std::vector<wire::Envelope*> messages;
    for (int i = 0; i < 4; ++i) messages.push_back(depot->acquire(8, false, true));
    const std::vector<std::string> groups{"g"};
    outlet.turn_away(messages, groups, 0, DropReason::closed);
  }
  const auto lost = [&](std::size_t box, DropReason reason) { return boxes[box]->stats("inbox").dropped[reason]; };
  CHECK(lost(0, DropReason::closed) == 4);
  CHECK(lost(1, DropReason::schema_mismatch) == 4);
  CHECK(lost(1, DropReason::closed) == 0);
  CHECK(lost(2, DropReason::closed) == 2);
  CHECK(lost(3, DropReason::closed) == 2);
  for (mailbox::PullBox* const box : boxes) {
    box->close(DropReason::closed);
    box->unref();
  }
  CHECK(memory->bytes_used() > 0);  // at home
  memory->retire(depot);
  memory->abandon();
}
