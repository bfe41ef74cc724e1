// What midplane-gen's one layout of a table of numbers is to those who read it: a FlatBuffer as any other.

#include <array>
#include <cstring>
#include <variant>

#include <doctest/doctest.h>
#include <midplane/midplane.hpp>

#include "plain_midplane.hpp"

namespace {

using namespace midplane;

template <class T>
struct Written {
  explicit Written(const typename T::NativeTableType& value) {
    std::memset(block.data(), 0xA5, block.size());
    PlainTable<T>::write(value, block.data());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(block.data()), PlainTable<T>::bytes};
  }
  alignas(16) std::array<std::uint8_t, PlainTable<T>::bytes + 8> block{};
};

plain::NumbersT numbers() {
  plain::NumbersT value;
  value.on = true;
  value.ratio = -1.25;
  value.low = -3;
  value.class_ = -30'000;
  return value;
}

static_assert(HasPlainTable<plain::Numbers> && HasPlainTable<plain::Numbered> && HasPlainTable<plain::One>);
static_assert(!HasPlainTable<plain::Nothing> && !HasPlainTable<plain::Text> && !HasPlainTable<plain::Placed>);
static_assert(!HasPlainTable<plain::Perhaps> && !HasPlainTable<plain::Linked> && !HasPlainTable<plain::Many>);
static_assert(!HasPlainTable<plain::Hashed>);

TEST_CASE("a table of numbers that was written without a builder verifies and reads back") {
  const Written<plain::Numbers> written{numbers()};
  REQUIRE(Codec<plain::Numbers>::verify(written.bytes()));
  const plain::Numbers* read = Codec<plain::Numbers>::view(written.bytes());
  CHECK(read->on());
  CHECK(read->ratio() == -1.25);
  CHECK(read->low() == -3);
  CHECK(read->class_() == -30'000);
}

TEST_CASE("enums and defaults are written, deprecated fields are not there") {
  plain::NumberedT value;
  value.total = UINT64_MAX;
  const Written<plain::Numbered> written{value};
  REQUIRE(Codec<plain::Numbered>::verify(written.bytes()));
  const plain::Numbered* read = Codec<plain::Numbered>::view(written.bytes());
  CHECK(read->colour() == plain::Colour::green);
  CHECK(read->total() == UINT64_MAX);
  CHECK(read->share() == 2.5F);
  const auto* table = reinterpret_cast<const flatbuffers::Table*>(read);
  CHECK(table->GetOptionalFieldOffset(4) == 0);
  CHECK(table->GetOptionalFieldOffset(6) != 0);
}

TEST_CASE("every byte of the layout is written and nothing behind it") {
  const Written<plain::One> written{plain::OneT{}};
  CHECK(PlainTable<plain::One>::bytes % 4 == 0);
  REQUIRE(Codec<plain::One>::verify(written.bytes()));
  for (std::size_t at = 0; at < PlainTable<plain::One>::bytes; ++at) CHECK(written.block[at] != 0xA5);
  for (std::size_t at = PlainTable<plain::One>::bytes; at < written.block.size(); ++at) CHECK(written.block[at] == 0xA5);
}

TEST_CASE("a published object and a built one are the same to a subscriber") {
  BusOptions options;
  options.executor = manual_executor();
  auto bus = Bus::open(std::move(options));
  REQUIRE(bus);
  constexpr Topic<plain::Numbers> topic{"plain.numbers"};
  auto inbox = bus->inbox(topic);
  auto publisher = bus->publisher(topic);
  REQUIRE(inbox);
  REQUIRE(publisher);
  REQUIRE(publisher->publish(numbers()));
  REQUIRE(publisher->publish([](flatbuffers::FlatBufferBuilder& builder) {
    return plain::CreateNumbers(builder, true, -1.25, -30'000, -3);
  }));
  for (int i = 0; i < 2; ++i) {
    const auto item = inbox->try_take();
    REQUIRE(item);
    const auto* message = std::get_if<Message<plain::Numbers>>(&*item);
    REQUIRE(message);
    CHECK((*message)->on());
    CHECK((*message)->ratio() == -1.25);
    CHECK((*message)->low() == -3);
    CHECK((*message)->class_() == -30'000);
    CHECK(reinterpret_cast<std::uintptr_t>(message->bytes().data()) % 16 == 0);
  }
}

}  // namespace
