/// Who joins a topic, also when memory ends on the way.
#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "../short_of_memory.hpp"
#include "route/topics.hpp"
#include "wire/payload_memory.hpp"
#include "wire/sink.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

struct Sink final : wire::TopicSink {
  wire::Offer offer(wire::Envelope&, const wire::Terms&) noexcept override { return wire::Offer::taken; }
  void expect(wire::Envelope&, wire::Envelope*) noexcept override {}
  void join(std::uint32_t, wire::Envelope*) noexcept override { ++joins; }
  [[nodiscard]] bool has_room(std::uint32_t) noexcept override { return true; }
  [[nodiscard]] bool reserve(std::uint32_t) noexcept override { return true; }
  void unreserve() noexcept override {}
  [[nodiscard]] Overflow overflow() const noexcept override { return {}; }
  [[nodiscard]] Duration block_for() const noexcept override { return {}; }
  void wait_for_room(std::uint32_t, Duration) noexcept override {}
  [[nodiscard]] std::string_view peer() const noexcept override { return {}; }
  int joins = 0;
};

}  // namespace

TEST_CASE("each peer has joined a topic once its publisher was opened, at whichever call memory had ended before") {
  bool ended = false;
  for (int allocations = 0; !ended; ++allocations) {
    CAPTURE(allocations);
    REQUIRE(allocations < 1000);
    wire::PayloadMemory* const memory = wire::PayloadMemory::make(std::pmr::new_delete_resource(), std::size_t{1} << 20);
    {
      route::Topics topics{*memory};
      std::vector<std::shared_ptr<Sink>> sinks;
      for (std::uint32_t i = 1; i <= 5; ++i) {
        sinks.push_back(std::make_shared<Sink>());
        topics.subscribe_far({i, i, "news.*", "", [sink = sinks.back()](const route::TopicRoute&) { return sink; }});
      }
      static constexpr TypeInfo raw{};
      const auto open = [&] {
        route::Mismatches mismatches;
        return topics.open_to_publish("news.a", raw, mismatches).has_value();
      };
      try {
        ended = short_of_memory(allocations, open);
      } catch (const std::bad_alloc&) {
        ended = false;
      }
      CHECK(open());
      for (const auto& sink : sinks) CHECK(sink->joins == 1);
      CHECK(topics.find("news.a")->far().size() == 5);
    }
    memory->abandon();
  }
}

TEST_CASE("a handle without memory for it answers no_memory, wherever that ends, and is whole at the next try") {
  const std::byte one[1]{};
  const auto name = Topic<Bytes>::named("news.of_a_name_that_is_too_long_to_be_kept_within_a_string").value();
  const auto all = Pattern<Bytes>::parse("news.>").value();
  const auto echo = Service<Bytes, Bytes>{"echo"};
  for (const int round : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    const int which = round / 2;
    const bool tries_again = round % 2 == 0;
    CAPTURE(which);
    CAPTURE(tries_again);
    int refused = 0;
    bool ended = false;
    for (int allocations = 0; !ended; ++allocations) {
      CAPTURE(allocations);
      REQUIRE(allocations < 1000);
      auto loop = manual_executor();
      Bus bus = Bus::open({.executor = loop}).value();
      auto before = bus.inbox(Pattern<Bytes>::parse("news.*").value()).value();
      auto any = bus.publisher().value();
      const auto publish = [&] { return any.publish(name, std::span<const std::byte>{one}); };
      std::optional<Inbox<Bytes>> inbox;
      std::optional<Publisher<Bytes>> publisher;
      std::optional<Client<Bytes, Bytes>> client;
      std::optional<Server> server;
      const auto take = [](auto&& made, auto& into) -> Result<void> {
        if (!made) return made.error();
        into.emplace(std::move(*made));
        return ok();
      };
      const auto make = [&]() -> Result<void> {
        switch (which) {
          case 0: return take(bus.inbox(all), inbox);
          case 1: return take(bus.publisher(name), publisher);
          case 2: return take(bus.client(echo), client);
          case 3: return take(bus.serve(echo, [](const Request<Bytes>& asked) { return asked; }), server);
          default: break;
        }
        if (auto said = publish(); !said) return said.error();
        return ok();
      };
      const auto first = short_of_memory(allocations, make);
      ended = first.has_value();
      if (!ended) {
        ++refused;
        CHECK(first.error().code() == ErrorCode::no_memory);
        if (!tries_again) continue;  // the bus is closed as it is
        CHECK(publish()->queued == 1);
        CHECK(make().has_value());
      }
      CHECK(publish()->queued == (which == 0 ? 2 : 1));
      if (publisher) CHECK(publisher->publish(std::span<const std::byte>{one})->queued == 1);
      if (!server) server = bus.serve(echo, [](const Request<Bytes>& asked) { return asked; }).value();
      if (!client) client = bus.client(echo).value();
      CHECK(client->request(std::span<const std::byte>{one}).get().has_value());
      CHECK(bus.close(std::chrono::seconds{1}).complete);
    }
    CHECK(refused > 3);
    MESSAGE("refused at " << refused << " allocations");
  }
}
