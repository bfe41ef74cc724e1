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
  Bus reader;
  Inbox<Bytes> inbox;
  explicit Place(Duration heartbeat = 1s)
      : reader{Bus::open({.name = "reader", .executor = loop, .clock = clock, .heartbeat = heartbeat}).value()},
        inbox{reader.inbox(cpu).value()} {
    reader.attach(network.transport("reader", {.listen = {"sim://reader"}, .peers = {}})).value();
  }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
  static std::string said(const SubscriptionEvent& event) {
    if (event.kind == EventKind::incarnation_changed) return "restart ";
    if (event.kind != EventKind::gap) return {};
    return "gap " + std::to_string(event.first) + '-' + std::to_string(event.last) + ' ';
  }
  /// What waits in the inbox, one word each.
  std::string read() {
    std::string all;
    while (auto item = inbox.try_take()) {
      if (const auto* message = std::get_if<Message<Bytes>>(&*item)) all += text(*message) + ' ';
      else all += said(std::get<SubscriptionEvent>(*item));
    }
    return all;
  }
};

/// One lifetime of a bus that publishes.
struct Life {
  Life(Place& place, const std::string& name, Duration heartbeat = 1s)
      : bus{Bus::open({.name = name, .executor = place.loop, .clock = place.clock, .heartbeat = heartbeat}).value()},
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
  SUBCASE("back soon, closed in order") {
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

TEST_CASE("P8 a reader that forgot a publisher sooner than that forgot it hears of what it missed, and of no more") {
  // The reader misses the publisher after 2.1 s of silence, the publisher the reader after 6 s. Both forget 60 s later.
  Place place{700ms};
  Life life{place, "p", 2s};
  const auto publish = [&](const std::string& what) { CHECK(life.publisher.publish(bytes(what))); };
  publish("a1");
  publish("a2");
  place.pass(100ms);
  place.network.cut_one_way("p", "reader");
  place.pass(1900ms);
  place.network.cut("p", "reader");
  publish("lost");
  place.pass(60'200ms);
  publish("lost");
  place.network.heal("p", "reader");
  place.pass(10s);
  publish("a5");
  place.pass(100ms);
  CHECK(place.read() == "a1 a2 gap 3-4 a5 ");
}
