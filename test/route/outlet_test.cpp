/// Who is offered a message while subscriptions come and go.
#include <doctest/doctest.h>

#include <optional>
#include <thread>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/testing/manual_executor.hpp>

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
