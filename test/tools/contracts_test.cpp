// What midplane-gen makes of contracts.fbs.

#include <chrono>
#include <string_view>

#include <doctest/doctest.h>
#include <flatbuffers/reflection.h>

#include "contracts_midplane.hpp"

namespace {

using namespace midplane;
using namespace std::chrono_literals;
namespace contracts = market::market_data;

static_assert(HasSchema<market::Tick> && HasSchema<market::Ask> && HasSchema<common::Money>);
static_assert(std::is_same_v<decltype(contracts::quote), const Service<market::Ask, market::Tick>>);

TEST_CASE("attributes become the defaults of the constant") {
  static_assert(contracts::ticks.name() == "market.ticks");
  static_assert(contracts::ticks.defaults().queue.overflow == Overflow::drop_oldest);
  static_assert(contracts::ticks.defaults().queue.messages == 4096);
  static_assert(contracts::ticks.defaults().queue.bytes == 65536);
  static_assert(contracts::ticks.defaults().retain);
  static_assert(contracts::quote.defaults().timeout == 200ms);
  static_assert(contracts::quote.defaults().queue.messages == 8);
  static_assert(contracts::quote.defaults().idempotent && !contracts::quote.defaults().streaming);
  static_assert(contracts::feed.defaults().streaming && !contracts::feed.defaults().idempotent);
}

TEST_CASE("what a method does not say keeps the library's default") {
  static_assert(contracts::last_price.defaults().queue.messages == Queue{}.messages);
  static_assert(contracts::last_price.defaults().queue.overflow == Queue{}.overflow);
  static_assert(!contracts::last_price.defaults().retain);
  static_assert(contracts::feed.defaults().timeout == ServiceDefaults{}.timeout);
}

TEST_CASE("without a name the service and the method give it") {
  static_assert(contracts::last_price.name() == "market_data.last_price");
  static_assert(contracts::delete_.name() == "market_data.delete");
}

TEST_CASE("a name with * is filled token by token and keeps its defaults") {
  const auto topic = contracts::fees("7", "eu");
  REQUIRE(topic);
  CHECK(topic->name() == "desk.7.fees.eu");
  CHECK(topic->defaults().queue.overflow == Overflow::latest);
  const auto service = contracts::desk("7");
  REQUIRE(service);
  CHECK(service->name() == "desk.7.quote");
  CHECK(service->defaults().timeout == 50ms);
}

TEST_CASE("what is not one token is refused, for it would name something else") {
  for (const std::string_view token : {"a.b", "", "*", ">", "a b"}) {
    CAPTURE(token);
    const auto topic = contracts::fees("7", token);
    REQUIRE_FALSE(topic);
    CHECK(topic.error().code() == ErrorCode::invalid_name);
  }
}

TEST_CASE("the pattern stands for every name it can be filled to") {
  const auto pattern = contracts::fees_pattern();
  REQUIRE(pattern);
  CHECK(pattern->text() == contracts::fees_pattern_text);
  CHECK(pattern->defaults().queue.overflow == Overflow::latest);
  CHECK(matches(pattern->text(), contracts::fees("7", "eu")->name()));
}

TEST_CASE("a type knows its name, its fingerprint and the schema it stands in") {
  const TypeInfo& tick = SchemaOf<market::Tick>::info();
  const TypeInfo& ask = SchemaOf<market::Ask>::info();
  CHECK(tick.name == "market.Tick");
  CHECK(tick.fingerprint != 0);
  CHECK(tick.fingerprint != ask.fingerprint);
  CHECK(&tick == &SchemaOf<market::Tick>::info());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tick.bfbs.data());
  CHECK(reinterpret_cast<std::uintptr_t>(bytes) % 8 == 0);
  flatbuffers::Verifier verifier{bytes, tick.bfbs.size()};
  REQUIRE(reflection::VerifySchemaBuffer(verifier));
  CHECK(reflection::GetSchema(bytes)->objects()->LookupByKey("market.Tick") != nullptr);
}

TEST_CASE("an included type's schema is that of its own file") {
  const TypeInfo& money = SchemaOf<common::Money>::info();
  CHECK(money.name == "common.Money");
  CHECK(money.bfbs.data() != SchemaOf<market::Tick>::info().bfbs.data());
}

}  // namespace
