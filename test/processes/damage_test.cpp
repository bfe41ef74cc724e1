/// Lines that break inside a frame, come in crumbs, or lie.
#include "processes/scene.hpp"

namespace midplane::test {
namespace {

void matched(ActorProcess& publisher) { REQUIRE(publisher.works("matched 20000", "matched")); }

}  // namespace

TEST_CASE("P11: a connection reset inside a frame is lost at once to both ends, and gaps say what was lost") {
  for (unsigned instant = 0; instant != instants(); ++instant) {
    CAPTURE(instant);
    Through line{{"subscriber", "heartbeat=500"}, {"publisher", "heartbeat=500"}};
    ActorProcess& subscriber = *line.listens;
    ActorProcess& publisher = *line.dials;
    matched(publisher);
    publisher.say("publish 1000000000 20000 400");
    REQUIRE(subscriber.until([](const Heard& heard) { return heard.ledger.delivered() >= 20; }));
    // The time of the reset is not known exactly; it is not before this.
    const std::size_t mark = subscriber.mark();
    const std::size_t sender_mark = publisher.mark();
    line.proxy->reset_after(Way::up, seeded(300 + instant, 1, 200'000));
    const Line here = publisher.line("bus", "peer_lost", sender_mark, at_once);
    const Line there = subscriber.line("event", "peer_lost", mark, at_once);
    CHECK(here.is("bus", "peer_lost"));
    CHECK(there.is("event", "peer_lost"));
    const Line confirmed = subscriber.line("event", "confirmed", mark);
    CHECK(confirmed.is("event", "confirmed"));
    const std::uint64_t before = subscriber.heard().ledger.delivered();
    CHECK(subscriber.until([&](const Heard& heard) { return heard.ledger.delivered() > before + 40; }));
    std::printf("reset inside a frame: told %.1f ms apart, confirmed again %.0f ms after\n",
                std::abs(ms_between(here.at, there.at)), ms_between(there.at, confirmed.at));
    settle(publisher, subscriber, 1, 1, 500ms);
  }
}

TEST_CASE("a line that carries single bytes loses nothing and keeps its link") {
  Through line{{"subscriber", "heartbeat=100"}, {"publisher", "heartbeat=100"}};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  line.proxy->byte_at_a_time();
  matched(publisher);
  publisher.say("publish 500 200 1000");
  REQUIRE(publisher.line("done").is("done"));
  settle(publisher, subscriber, 1, 1, 100ms);
  CHECK(subscriber.heard().ledger.delivered() == 500);
  CHECK(subscriber.heard().ledger.missing() == 0);
  CHECK(publisher.heard().count("bus", "peer_lost") == 0);
  CHECK(subscriber.heard().count("bus", "peer_lost") == 0);
  std::printf("single bytes: %llu bytes one by one, 500 of 500 delivered\n",
              static_cast<unsigned long long>(line.proxy->forwarded(Way::up)));
}

TEST_CASE("P8: bits that flip after the greeting never reach a handler, and gaps say what was lost") {
  Through line{{"subscriber", "heartbeat=100"}, {"publisher", "heartbeat=100"}};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  matched(publisher);
  publisher.say("publish 1000000000 300 1000");
  REQUIRE(subscriber.until([](const Heard& heard) { return heard.ledger.delivered() >= 100; }));
  const std::size_t mark = subscriber.mark();
  line.proxy->flip_bits({.every = 20'000, .after = 2048, .seed = 3});
  // A flip ends the connection, or a frame is refused; either way some links end.
  CHECK(subscriber.until([&](const Heard& heard) { return heard.count("event", "peer_lost", mark) >= 3; }));
  const std::size_t healed = subscriber.mark();
  const std::uint64_t flips = line.proxy->counts().flipped;
  line.proxy->heal();
  line.proxy->reset();
  const Line confirmed = subscriber.line("event", "confirmed", healed);
  CHECK(confirmed.is("event", "confirmed"));
  const std::uint64_t before = subscriber.heard().ledger.delivered();
  CHECK(subscriber.until([&](const Heard& heard) { return heard.ledger.delivered() > before + 100; }));
  CHECK(flips > 0);
  std::printf("flipped bits: %llu flips ended %zu links\n", static_cast<unsigned long long>(flips),
              subscriber.heard().count("event", "peer_lost", mark));
  settle(publisher, subscriber, 1, 1, 100ms);
}

TEST_CASE("P8: bits that flip anywhere, greetings included, never reach a handler, and the link comes back") {
  Through line{{"subscriber", "heartbeat=100"}, {"publisher", "heartbeat=100", "dial_timeout=300"}};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  line.proxy->flip_bits({.every = 150, .after = 0, .seed = 5});
  line.proxy->reset();
  publisher.say("publish 1000000000 300 1000");
  // Dialling again and again: some greetings of 64 bytes pass, and what follows them does not.
  CHECK(line.proxy->until([](const Proxy::Counts& counts) { 
    return counts.flipped >= 12 && counts.connections >= 6;
  }, event_limit));
  const std::size_t healed = subscriber.mark();
  const std::int64_t healed_at = now_ns();
  const Proxy::Counts damage = line.proxy->counts();
  line.proxy->heal();
  line.proxy->reset();
  const Line confirmed = subscriber.line("event", "confirmed", healed);
  REQUIRE(confirmed.is("event", "confirmed"));
  const std::uint64_t before = subscriber.heard().ledger.delivered();
  CHECK(subscriber.until([&](const Heard& heard) { return heard.ledger.delivered() > before + 100; }));
  CHECK(subscriber.heard().count("wrong") == 0);
  CHECK(subscriber.heard().ledger.faults() == "");
  std::printf("bits flipped anywhere: %llu flips over %llu connections; confirmed %.0f ms after they ended\n",
              static_cast<unsigned long long>(damage.flipped), static_cast<unsigned long long>(damage.connections),
              ms_between(healed_at, confirmed.at));
}

}  // namespace midplane::test
