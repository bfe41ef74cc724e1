/// P20: buses of different wire versions, in one thread.
#include <doctest/doctest.h>

#include <set>

#include "worlds.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

namespace {

LinkOptions speaking(std::uint16_t from, std::uint16_t to) {
  LinkOptions options;
  options.version_min = from;
  options.version_max = to;
  return options;
}

constexpr std::uint16_t previous = 1;
constexpr std::uint16_t current = 2;

/// `a` publishes and serves, `b` subscribes and asks. Writes down in which version their frames were written.
struct Pair : World {
  Pair(LinkOptions of_a, LinkOptions of_b, bool a_dials) : a{*this, "a", 1, of_a}, b{*this, "b", 2, of_b} {
    net.tap = [this](std::vector<std::byte>& bytes) {
      wire::FrameReader reader;
      wire::Record record;
      REQUIRE(reader.open(bytes) == wire::FrameFault::none);
      REQUIRE(reader.next(record));
      auto& versions = record.type == wire::RecordType::hello ? greetings : others;
      versions.insert(reader.head().version);
      return true;
    };
    a.topic = "host.cpu";
    a.links->add_service({"ask", {}, {}}).value();
    b.links->add_subscription(subscription(1, "host.*")).value();
    Bus& dials = a_dials ? a : b;
    Bus& listens = a_dials ? b : a;
    listens.attach({"mem:x"}, {});
    dials.attach({}, {"mem:x"});
    run();
  }
  std::set<std::uint16_t> greetings, others;
  Bus a, b;
};

}  // namespace

TEST_CASE("P20 a bus and one of the version before talk in the words of the version before, whoever dials") {
  for (const bool older_dials : {true, false}) {
    for (const bool older_publishes : {true, false}) {
      CAPTURE(older_dials);
      CAPTURE(older_publishes);
      const LinkOptions newer = speaking(previous, current);
      const LinkOptions older = speaking(previous - 1, previous);
      Pair pair{older_publishes ? older : newer, older_publishes ? newer : older, older_dials == older_publishes};
      REQUIRE(pair.a.up.size() == 1);
      REQUIRE(pair.b.up.size() == 1);
      AnyMessage message = pair.a.make("stamped");
      wire::envelope_of(message)->sent_at = 1'700'000'000'123'456'789;
      REQUIRE(pair.a.sinks.at(0)->offer(*wire::envelope_of(message), {}) == wire::Offer::taken);
      pair.run();
      REQUIRE(pair.b.messages.size() == 1);
      CHECK(pair.b.text(0) == "stamped");
      // Whole microseconds are all that the version before can say.
      CHECK(pair.b.messages[0].sent_at() == 1'700'000'000'123'456'000);

      Asker asker;
      auto service = pair.b.links->service_sink(pair.b.up.at(0).id, "ask").value();
      REQUIRE(pair.b.ask(*service, asker, 5, "question") == wire::Offer::taken);
      pair.run();
      REQUIRE(pair.a.requests.size() == 1);
      pair.a.answer(pair.a.requests[0], "answer");
      pair.run(10s);
      REQUIRE(asker.replies.size() == 1);
      CHECK(asker.replies[0].second == "answer");
      CHECK(pair.a.lost.empty());
      CHECK(pair.b.lost.empty());
      CHECK(pair.greetings == std::set<std::uint16_t>{previous - 1, previous});
      CHECK(pair.others == std::set<std::uint16_t>{previous});
    }
  }
}

TEST_CASE("P20 two buses of one version talk in its words behind the greeting") {
  Pair pair{speaking(previous, current), speaking(previous, current), false};
  AnyMessage message = pair.a.make("stamped");
  wire::envelope_of(message)->sent_at = 1'700'000'000'123'456'789;
  REQUIRE(pair.a.sinks.at(0)->offer(*wire::envelope_of(message), {}) == wire::Offer::taken);
  pair.run(10s);
  REQUIRE(pair.b.messages.size() == 1);
  CHECK(pair.b.messages[0].sent_at() == 1'700'000'000'123'456'789);
  CHECK(pair.greetings == std::set<std::uint16_t>{previous});
  CHECK(pair.others == std::set<std::uint16_t>{current});
}

TEST_CASE("P20 any other pair of versions gets a typed refusal on both sides within a second, whoever dials") {
  const std::vector<LinkOptions> strangers{speaking(current + 1, current + 1), speaking(current + 1, current + 2),
                                           speaking(0, 0), speaking(1000, 1001)};
  for (const LinkOptions& stranger : strangers) {
    for (const bool stranger_dials : {true, false}) {
      CAPTURE(stranger.version_min);
      CAPTURE(stranger_dials);
      World world;
      Bus ours{world, "ours", 1, speaking(previous, current)};
      Bus theirs{world, "theirs", 2, stranger};
      Bus& dials = stranger_dials ? theirs : ours;
      (stranger_dials ? ours : theirs).attach({"mem:x"}, {});
      dials.attach({}, {"mem:x"});
      world.run(1s);
      REQUIRE(!ours.refused.empty());
      REQUIRE(!theirs.refused.empty());
      CHECK(ours.refused[0] == ErrorCode::version_mismatch);
      CHECK(theirs.refused[0] == ErrorCode::version_mismatch);
      CHECK(ours.up.empty());
      CHECK(theirs.up.empty());
      CHECK(dials.links->peers()[0].state == PeerState::refused);
    }
  }
}

TEST_CASE("P20 a frame in another version than the agreed one ends the connection") {
  Pair pair{speaking(previous, current), speaking(previous, current), false};
  REQUIRE(pair.b.up.size() == 1);
  pair.net.tap = [](std::vector<std::byte>& frame) {
    frame[8] = std::byte{previous};
    repair_checksum(frame);
    return true;
  };
  REQUIRE(pair.a.publish("m") == wire::Offer::taken);
  REQUIRE(pair.net.step());
  pair.net.tap = nullptr;
  pair.run(1s);
  CHECK(pair.b.messages.empty());
  CHECK(pair.b.lost.size() == 1);
  CHECK(pair.b.links->counters().frame_faults[static_cast<std::size_t>(wire::FrameFault::wrong_version)] == 1);
  CHECK(pair.b.up.size() == 2);
}
