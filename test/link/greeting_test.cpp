#include <doctest/doctest.h>

#include "worlds.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

TEST_CASE("two buses greet, and each tells the other what it subscribes and serves") {
  World world;
  Bus a{world, "agent", 1};
  Bus b{world, "watcher", 2};
  a.topic = "host.cpu";
  a.links->add_service({"host.processes", {"test.Ask", 5}, {"test.Answer", 6}}).value();
  b.links->add_subscription(subscription(9, "host.*")).value();
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  CHECK_FALSE(b.links->settled());
  CHECK(b.links->readiness(9).outstanding == 1);
  world.run();
  REQUIRE(a.up.size() == 1);
  REQUIRE(b.up.size() == 1);
  CHECK(a.up[0].name == "watcher");
  CHECK(b.up[0].name == "agent");
  CHECK(b.up[0].incarnation == wire::Incarnation{1, 1});
  REQUIRE(a.subscribed.size() == 1);
  CHECK(a.subscribed[0].pattern == "host.*");
  CHECK(a.subscribed[0].type.fingerprint == 77);
  CHECK(b.confirmed == std::vector<std::uint32_t>{9});
  CHECK(b.offered == std::vector<std::string>{"host.processes"});
  CHECK(b.told == 1);
  CHECK(b.links->settled());
  CHECK(b.links->readiness(9).confirmed == 1);
  CHECK(b.links->readiness(9).outstanding == 0);
  REQUIRE(b.links->peers().size() == 1);
  CHECK(b.links->peers()[0].state == PeerState::up);
  CHECK(a.links->peers()[0].name == "watcher");
}

TEST_CASE("what is subscribed, served, taken back or withdrawn later is told at once") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run();
  b.links->add_subscription(subscription(3, "x.>")).value();
  a.links->add_service({"s", {}, {}}).value();
  world.run();
  CHECK(b.confirmed == std::vector<std::uint32_t>{3});
  CHECK(b.offered == std::vector<std::string>{"s"});
  b.links->remove_subscription(3);
  a.links->remove_service("s");
  world.run();
  CHECK(a.unsubscribed == std::vector<std::uint32_t>{3});
  CHECK(b.withdrawn == std::vector<std::string>{"s"});
}

TEST_CASE("a subscription that the host refuses is refused at the subscriber, with the words of the host") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.refuse_subscriptions = true;
  b.links->add_subscription(subscription(3, "x")).value();
  b.links->add_subscription(subscription(4, "not a name")).value();
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run();
  REQUIRE(b.refusals.size() == 2);
  CHECK(b.refusals[0].code() == ErrorCode::schema_mismatch);
  CHECK(b.refusals[0].detail() == "the types do not agree");
  CHECK(b.refusals[1].code() == ErrorCode::invalid_name);
  CHECK(b.links->readiness(3).refused == 1);
  CHECK(a.lost.empty());
}

TEST_CASE("buses without a common wire version refuse each other, both with a typed error") {
  for (const bool far_future : {false, true}) {
    World world;
    Bus a{world, "a", 1};
    // `far_future`: not even its greeting is written in our version.
    LinkOptions other;
    other.version_min = other.version_max = 4;
    LinkOptions narrow;
    narrow.version_min = narrow.version_max = 0;
    Bus b{world, "b", 2, far_future ? other : narrow};
    a.attach({"mem:a"}, {});
    b.attach({}, {"mem:a"});
    world.run(1s);
    REQUIRE(a.refused.size() >= 1);
    REQUIRE(b.refused.size() >= 1);
    CHECK(a.refused[0] == ErrorCode::version_mismatch);
    CHECK(b.refused[0] == ErrorCode::version_mismatch);
    CHECK(a.up.empty());
    CHECK(b.up.empty());
    CHECK(b.links->peers()[0].state == PeerState::refused);
    CHECK(b.links->settled());
  }
}

TEST_CASE("a bus that reaches itself gets an error and does not try again") {
  World world;
  Bus a{world, "a", 1};
  a.attach({"mem:a"}, {"mem:a"});
  world.run();
  REQUIRE(!a.refused.empty());
  CHECK(a.refused[0] == ErrorCode::invalid_endpoint);
  CHECK(a.up.empty());
  world.run(60s);
  CHECK(a.transport->dials == 1);
  CHECK(a.transport->connections() == 0);
}

TEST_CASE("if both dial, the connection dialled by the smaller incarnation stays") {
  for (const bool a_first : {true, false}) {
    World world;
    Bus a{world, "a", 1};
    Bus b{world, "b", 2};
    a.attach({"mem:a"}, a_first ? std::vector<std::string>{"mem:b"} : std::vector<std::string>{});
    b.attach({"mem:b"}, {"mem:a"});
    if (!a_first) {
      auto second = std::make_unique<WireTransport>(world.net, std::vector<std::string>{}, std::vector<std::string>{"mem:b"});
      a.links->attach(std::move(second)).value();
    }
    world.run(1s);
    REQUIRE(a.up.size() == 1);
    REQUIRE(b.up.size() == 1);
    CHECK(a.up[0].dialled);
    CHECK_FALSE(b.up[0].dialled);
    CHECK(a.lost.empty());
    CHECK(b.lost.empty());
    CHECK(b.links->peers()[0].state == PeerState::up);
    CHECK(b.links->settled());
    CHECK(a.links->settled());
    world.run(60s);
    CHECK(b.up.size() == 1);
  }
}

TEST_CASE("two addresses of one bus make one link, and the second serves when the first goes") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.attach({"mem:a", "mem:a2"}, {});
  b.attach({}, {"mem:a", "mem:a2"});
  world.run(1s);
  CHECK(b.up.size() == 1);
  CHECK(b.transport->connections() == 1);
  CHECK(b.links->settled());
  world.net.listeners.erase("mem:a");
  b.transport->disconnect(b.transport->only_connection());
  world.run(30s);
  CHECK(b.lost.size() == 1);
  CHECK(b.up.size() == 2);
  CHECK(b.transport->connections() == 1);
}

TEST_CASE("a peer that is not there yet is dialled again, slower and slower, until it is") {
  World world;
  Bus b{world, "b", 2};
  b.attach({}, {"mem:a"});
  world.run(60s);
  CHECK(b.transport->dials >= 12);
  CHECK(b.transport->dials < 60);
  CHECK(b.links->peers()[0].state == PeerState::reaching);
  CHECK_FALSE(b.links->settled());
  Bus a{world, "a", 1};
  a.attach({"mem:a"}, {});
  world.run(5s);
  CHECK(b.up.size() == 1);
}

TEST_CASE("that nobody is reached is told once, with why, until somebody was") {
  World world;
  Bus b{world, "b", 2};
  b.attach({}, {"mem:a"});
  world.run(20s);
  CHECK(b.not_reached == std::vector<std::string>{"mem:a: transport_failed: nobody there"});
  CHECK(b.links->peers()[0].not_reached->code() == ErrorCode::transport_failed);
  {
    Bus a{world, "a", 1};
    a.attach({"mem:a"}, {});
    world.run(5s);
    REQUIRE(b.up.size() == 1);
    CHECK_FALSE(b.links->peers()[0].not_reached);
  }
  world.run(20s);
  CHECK(b.not_reached.size() == 2);
}

TEST_CASE("what takes the connection and does not greet is not reached either") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  world.net.tap = [](auto&) { return false; };
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run(20s);
  REQUIRE(b.not_reached.size() == 1);  // whichever side gave up first
  CHECK(b.not_reached[0].starts_with("mem:a: "));
  CHECK(a.not_reached.empty());
}

TEST_CASE("a lost peer is lost at once, and dialled again") {
  World world;
  Bus b{world, "b", 2};
  b.links->add_subscription(subscription(1, "x")).value();
  {
    Bus a{world, "a", 1};
    a.attach({"mem:a"}, {});
    b.attach({}, {"mem:a"});
    world.run();
    CHECK(b.confirmed.size() == 1);
  }
  world.run();
  REQUIRE(b.lost.size() == 1);
  CHECK(b.links->peers()[0].state == PeerState::lost);
  CHECK(b.links->settled());
  Bus again{world, "a", 3};
  again.attach({"mem:a"}, {});
  world.run(6s);
  CHECK(b.up.size() == 2);
  CHECK(b.confirmed.size() == 2);
}

TEST_CASE("an address that means nothing is refused by attach") {
  World world;
  Bus a{world, "a", 1};
  const auto attached = a.links->attach(std::make_unique<WireTransport>(world.net, std::vector<std::string>{},
                                                                        std::vector<std::string>{"nonsense"}));
  REQUIRE_FALSE(attached);
  CHECK(attached.error().code() == ErrorCode::invalid_endpoint);
}

TEST_CASE("a bus whose name another one has taken is known to live when it answers, and not before") {
  World world;
  Bus hub{world, "hub", 1}, first{world, "twin", 2};
  hub.attach({"hub"}, {});
  first.attach({}, {"hub"});
  world.run();
  CHECK(hub.successors.empty());
  first.transport->room = 0;  // silent, as if it were gone
  Bus second{world, "twin", 3};
  second.attach({}, {"hub"});
  world.run(100ms);
  CHECK(hub.up.size() == 2);
  CHECK(hub.successors == std::vector<std::string>{"twin"});
  CHECK(hub.alive.empty());
  first.transport->make_room(1000);
  world.run(100ms);
  CHECK(hub.alive == std::vector<std::string>{"twin"});
  CHECK(hub.lost.empty());
}

TEST_CASE("P11 a silent peer is lost within three heartbeats, a talking one never") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run(60s);
  CHECK(b.lost.empty());
  world.net.tap = [](auto&) { return false; };
  world.run(3s);
  CHECK(a.lost.size() == 1);
  REQUIRE(b.lost.size() == 1);
  CHECK(b.lost[0].find("three heartbeats") != std::string::npos);
}
