/// What a slow reader is told of a publisher that was restarted.
#include "../promises_requests/support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> cpu{"host.cpu"};

/// `reader` listens and has an inbox that nobody empties; publishers dial it.
struct Place {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  testing::FaultyNetwork network{7};
  Bus reader = Bus::open({.name = "reader", .executor = loop, .clock = clock}).value();
  Inbox<Bytes> inbox = reader.inbox(cpu).value();
  Place() { reader.attach(network.transport("reader", {.listen = {"sim://reader"}, .peers = {}})).value(); }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
  /// What waits in the inbox, one word each.
  std::string read() {
    std::string all;
    while (auto item = inbox.try_take()) {
      if (const auto* message = std::get_if<Message<Bytes>>(&*item)) all += text(*message) + ' ';
      else if (std::get<SubscriptionEvent>(*item).kind == EventKind::incarnation_changed) all += "restart ";
    }
    return all;
  }
};

/// One lifetime of a bus that publishes.
struct Life {
  Life(Place& place, const std::string& name)
      : bus{Bus::open({.name = name, .executor = place.loop, .clock = place.clock}).value()},
        publisher{bus.publisher(cpu).value()} {
    bus.attach(place.network.transport(name, {.listen = {}, .peers = {"sim://reader"}})).value();
    CHECK(publisher.wait_matched(1, 5s));
  }
  Bus bus;
  Publisher<Bytes> publisher;
};

}  // namespace

TEST_CASE("P8 a restart stands between what was sent before it and what is sent then, however late it is read") {
  Place place;
  constexpr int many = 100;  // more than one turn of a lane
  std::string expected;
  std::optional<Life> first{std::in_place, place, "p"};
  for (int i = 0; i < many; ++i) {
    CHECK(first->publisher.publish(bytes("a" + std::to_string(i))));
    expected += "a" + std::to_string(i) + ' ';
  }
  place.pass(100ms);
  Life other{place, "q"};
  SUBCASE("back soon") {
    place.network.crash("p");
    first.reset();
    place.pass(100ms);
  }
  SUBCASE("back after it was forgotten") {
    place.network.crash("p");
    first.reset();
    place.pass(70s);
  }
  Life again{place, "p"};
  // Another sender looks for a lane before it does.
  Life late{place, "r"};
  CHECK(late.publisher.publish(bytes("r")));
  place.pass(100ms);
  CHECK(again.publisher.publish(bytes("b")));
  place.pass(100ms);
  std::string read = place.read();
  if (const auto at = read.find("r "); at != std::string::npos && (at == 0 || read[at - 1] == ' ')) read.erase(at, 2);
  CHECK(read == expected + "restart b ");
}

TEST_CASE("P8 a restart that is seen before the old link is known to be dead is told once, behind what waits") {
  Place place;
  std::optional<Life> first{std::in_place, place, "p"};
  CHECK(first->publisher.publish(bytes("a")));
  place.pass(100ms);
  place.network.half_open("p", "reader");
  place.network.crash("p");
  first.reset();
  Life again{place, "p"};
  CHECK(again.publisher.publish(bytes("b")));
  place.pass(100ms);
  SUBCASE("and read at once") {}
  SUBCASE("and the old link ends while the new one is up") {
    place.pass(5s);
    place.network.disconnect("p", "reader");
  }
  SUBCASE("and the old link ends while the new one is down") {
    place.pass(1s);
    place.network.cut("p", "reader");
    place.network.disconnect("p", "reader");
    place.pass(10s);
    place.network.heal("p", "reader");
  }
  place.pass(10s);
  CHECK(again.publisher.publish(bytes("c")));
  place.pass(100ms);
  CHECK(place.read() == "a restart b c ");
}
