/// P20: this build beside one of the previous wire version, over tcp.
#include "processes/scene.hpp"

namespace midplane::test {
namespace {

std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// `publisher` publishes and asks, `subscriber` subscribes and serves.
void talk(ActorProcess& publisher, ActorProcess& subscriber) {
  REQUIRE(publisher.works("matched 20000", "matched"));
  REQUIRE(publisher.works("wait_server 20000", "server"));
  const std::int64_t began = wall_clock_ns();
  publisher.say("publish 200 100 4000");
  CHECK(subscriber.until([](const Heard& heard) { return heard.ledger.covers(1, 1, 200); }));
  const std::int64_t ended = wall_clock_ns();
  const Line stamp = subscriber.line("stamp");
  REQUIRE(stamp.is("stamp"));
  // The version before cuts to whole microseconds, and both speak it.
  CHECK(stamp.number(1) % 1000 == 0);
  CHECK(static_cast<std::int64_t>(stamp.number(1)) >= began - 1000);
  CHECK(static_cast<std::int64_t>(stamp.number(1)) <= ended);
  publisher.say("ask 1 20 100 20000 0");
  CHECK(publisher.until([](const Heard& heard) { return heard.count("outcome") == 20; }));
  for (const Line& line : publisher.heard().lines) {
    if (line.is("outcome")) CHECK(line.words[2] == "reply");
  }
  const Heard heard = subscriber.heard();
  CHECK(heard.ledger.faults() == "");
  CHECK(heard.ledger.missing() == 0);
  CHECK(heard.count("wrong") + publisher.heard().count("wrong") == 0);
}

}  // namespace

TEST_CASE("P20 a process of the previous wire version and one of this talk both ways over tcp, whoever dials") {
  const Arguments publishes{"publisher,client"};
  const Arguments subscribes{"subscriber,server"};
  const auto of = [](bool previous, Arguments arguments, const std::string& end) {
    if (previous) arguments.insert(arguments.begin(), "previous");
    arguments.push_back(end);
    return arguments;
  };
  for (const bool previous_publishes : {true, false}) {
    for (const bool previous_dials : {true, false}) {
      CAPTURE(previous_publishes);
      CAPTURE(previous_dials);
      const bool publisher_dials = previous_publishes == previous_dials;
      const Arguments& listening = publisher_dials ? subscribes : publishes;
      const Arguments& dialling = publisher_dials ? publishes : subscribes;
      ActorProcess listens{of(!previous_dials, listening, "listen=tcp://127.0.0.1:0")};
      ActorProcess dials{of(previous_dials, dialling, "dial=" + listens.address())};
      if (publisher_dials) talk(dials, listens);
      else talk(listens, dials);
    }
  }
}

TEST_CASE("P20 a process that speaks no version of ours is refused on both sides, over tcp, whoever dials and whoever is older") {
  for (const std::string older : {"", "previous"}) {
    for (const bool stranger_dials : {true, false}) {
      CAPTURE(older);
      CAPTURE(stranger_dials);
      Arguments ours{"publisher,subscriber,client"}, theirs{"stranger", "publisher,subscriber,server"};
      if (!older.empty()) ours.insert(ours.begin(), older);
      Arguments& listening = stranger_dials ? ours : theirs;
      Arguments& dialling = stranger_dials ? theirs : ours;
      listening.emplace_back("listen=tcp://127.0.0.1:0");
      ActorProcess listens{listening};
      Proxy proxy{listens.port()};
      dialling.push_back("dial=" + proxy.endpoint());
      const std::int64_t began = now_ns();
      ActorProcess dials{dialling};
      for (ActorProcess* side : {&listens, &dials}) {
        const Line told = side->line("bus", "peer_refused", 0, 1000ms * real_time_factor);
        REQUIRE(told.words.size() > 3);
        CHECK(told.words[3] == "version_mismatch:");
        std::printf("%s of two that share no version: refused %.0f ms after the one that dials was started\n",
                    side == &dials ? "the dialling one" : "the listening one", ms_between(began, told.at));
      }
      // Its own subscription is the only one that either of them ever has.
      listens.say("matched 100 2");
      CHECK(listens.line("matched").is("matched", "timed_out"));
      CHECK(dials.heard().count("bus", "peer_up") + listens.heard().count("bus", "peer_up") == 0);
      CHECK(dials.heard().count("event", "confirmed") + listens.heard().count("event", "confirmed") == 0);
      // Who was refused stops hammering: the line was dialled once, and once more at most when it was cut.
      CHECK(proxy.counts().connections <= 2);
    }
  }
}

}  // namespace midplane::test
