/// Messages that came together are handed on together, and nothing overtakes them.
#include "siege.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;

namespace {

/// A peer whose frames are written record by record, and the diary of the bus that reads them.
struct Reading : World {
  Reading() {
    bus.attach({"mem:bus"}, {});
    bus.links->add_service({"serve", {}, {}}).value();
    peer.come();
    peer.name({1, false, "a", {"test.Tick", 77}, 1, 1});
    peer.name({2, false, "b", {"test.Tick", 77}, 1, 1});
    peer.name({3, true, "serve", {}, 1, 1});
    peer.send();
    bus.diary.clear();
  }
  void message(std::uint32_t name, std::uint32_t number) {
    peer.add({.type = RecordType::message, .name = name, .number = number});
  }
  Bus bus{*this, "bus", 1};
  Attacker peer{*this, "mem:bus"};
};

using Diary = std::vector<std::string>;

}  // namespace

TEST_CASE("messages of one topic that follow each other in a frame reach the host together, in order with all else") {
  Reading reading;
  for (const std::uint32_t number : {1u, 2u, 3u}) reading.message(1, number);
  reading.message(2, 1);
  reading.message(1, 4);
  reading.message(1, 6);
  reading.peer.add({.type = RecordType::request, .name = 3, .number = 1'000'000, .mark = 9});
  for (std::uint32_t number = 7; number <= 46; ++number) reading.message(1, number);
  reading.peer.send();
  reading.message(1, 47);
  reading.peer.send();
  CHECK(reading.bus.diary == Diary{"a 1-3", "b 1-1", "a 4-4", "gap a 5-5", "a 6-6", "asked serve", "a 7-38", "a 39-46", "a 47-47"});
}

TEST_CASE("a message that says more than its payload does not join those around it") {
  Reading reading;
  const std::vector<std::string_view> groups{"g"};
  const wire::Body meta = wire::encode(wire::MetaFields{.groups = groups});
  reading.message(1, 1);
  reading.message(1, 2);
  reading.peer.add({.type = RecordType::message, .name = 1, .number = 3, .meta = meta});
  reading.message(1, 4);
  reading.peer.send();
  CHECK(reading.bus.diary == Diary{"a 1-2", "a 3-3", "a 4-4"});
}

TEST_CASE("what came in front of a record that ends the connection reaches the host before its end is told") {
  Reading reading;
  reading.message(1, 1);
  reading.message(1, 2);
  SUBCASE("of a broken body") { reading.peer.add({.type = RecordType::names, .payload = std::as_bytes(std::span{"no table"})}); }
  SUBCASE("of a message that can not be") { reading.peer.add({.type = RecordType::message, .flags = wire::retained_flag, .name = 1}); }
  SUBCASE("of a farewell") { reading.peer.add_body(RecordType::refused, wire::encode(Error{ErrorCode::closed, "the bus was closed"})); }
  reading.peer.send();
  CHECK_FALSE(reading.peer.is_connected());
  REQUIRE(reading.bus.diary.size() == 2);
  CHECK(reading.bus.diary[0] == "a 1-2");
  CHECK(reading.bus.diary[1] == "lost");
}
