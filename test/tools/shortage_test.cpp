/// Payloads that are built when memory ends: each publish answers, nothing ends the process, and the next one arrives.

#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <midplane/midplane.hpp>

#include "../short_of_memory.hpp"
#include "plain_midplane.hpp"

namespace {

using namespace midplane;
using namespace midplane::test;

constexpr int allocations_max = 1000;

plain::NumbersT numbers() {
  plain::NumbersT value;
  value.ratio = -1.25;
  return value;
}
plain::TextT text(std::size_t size) {
  plain::TextT value;
  value.name.assign(size, 't');
  return value;
}

/// Publishes on a fresh bus when memory ends after ever more allocations, until it suffices; the same again must arrive.
template <class T, class Publish>
void with_ever_more_memory(const Topic<T>& topic, Publish publish) {
  bool ended = false;
  for (int allocations = 0; !ended; ++allocations) {
    CAPTURE(allocations);
    REQUIRE(allocations < allocations_max);
    const auto loop = manual_executor();
    Bus bus = Bus::open({.executor = loop}).value();
    auto publisher = bus.publisher(topic).value();
    auto any = bus.publisher().value();
    int seen = 0;
    auto subscription = bus.subscribe(topic, [&](const Message<T>&) { ++seen; }).value();
    const Result<Published> first = short_of_memory(allocations, [&] { return publish(publisher, any); });
    if (!first) CHECK(first.error().code() == ErrorCode::no_memory);
    ended = first.has_value() && first->dropped == 0;
    const auto second = publish(publisher, any);
    REQUIRE(second);
    CHECK(second->queued == 1);
    loop->poll();
    CHECK(seen == (first ? static_cast<int>(first->queued) : 0) + 1);
    CHECK(bus.stats().payload_memory_bytes <= Limits{}.payload_memory_bytes_max);
  }
}

}  // namespace

TEST_CASE("a publish without memory for its payload answers no_memory, in whichever form it is given, and the next one arrives") {
  const plain::NumbersT plain_value = numbers();
  with_ever_more_memory(Topic<plain::Numbers>{"short.plain"}, [&](auto& publisher, auto&) { return publisher.publish(plain_value); });
  with_ever_more_memory(Topic<plain::Numbers>{"short.built"}, [](auto& publisher, auto&) {
    return publisher.publish([](flatbuffers::FlatBufferBuilder& builder) { return plain::CreateNumbers(builder, true); });
  });
  for (const std::size_t size : {std::size_t{10}, std::size_t{5000}, std::size_t{200'000}}) {
    CAPTURE(size);
    const plain::TextT value = text(size);
    with_ever_more_memory(Topic<plain::Text>{"short.text"}, [&](auto& publisher, auto&) { return publisher.publish(value); });
    with_ever_more_memory(Topic<plain::Text>{"short.any"},
                          [&](auto&, auto& any) { return any.publish(Topic<plain::Text>{"short.any"}, value); });
  }
}

TEST_CASE("an exception of the builder's own without memory is the caller's, and nothing was published") {
  const auto loop = manual_executor();
  Bus bus = Bus::open({.executor = loop}).value();
  auto publisher = bus.publisher(Topic<plain::Numbers>{"short.own"}).value();
  const auto build = [](flatbuffers::FlatBufferBuilder&) -> flatbuffers::Offset<plain::Numbers> { throw std::bad_alloc{}; };
  CHECK_THROWS_AS(static_cast<void>(publisher.publish(build)), std::bad_alloc);
  CHECK(bus.stats().topics.at(0).published == 0);
}

TEST_CASE("a publish whose type a subscription does not take is told it although memory ends on the way") {
  struct Events final : EventSink {
    void event(const Event& event) noexcept override { mismatches += event.kind == EventKind::schema_mismatch; }
    int mismatches = 0;
  };
  const plain::NumbersT value = numbers();
  const Topic<plain::Numbers> topic{"short.plain"};
  bool ended = false;
  for (int allocations = 0; !ended; ++allocations) {
    CAPTURE(allocations);
    REQUIRE(allocations < allocations_max);
    const auto loop = manual_executor();
    const auto events = std::make_shared<Events>();
    Bus bus = Bus::open({.executor = loop, .event = events}).value();
    auto subscription = bus.subscribe(Pattern<plain::Text>::parse("short.>").value(), [](const Message<plain::Text>&) {}).value();
    auto any = bus.publisher().value();
    const auto first = short_of_memory(allocations, [&] { return any.publish(topic, value); });
    if (!first) CHECK(first.error().code() == ErrorCode::no_memory);
    ended = first.has_value() && events->mismatches == 1;
    static_cast<void>(any.publish(topic, value));
    CHECK(events->mismatches == 1);
  }
}
