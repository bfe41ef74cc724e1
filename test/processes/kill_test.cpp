/// kill -9 at seeded instants: an instant is so many messages or replies after the start.
#include <set>

#include "processes/scene.hpp"

namespace midplane::test {
namespace {

const std::string heartbeat = "heartbeat=500";
constexpr std::chrono::milliseconds heartbeat_time{500};

}  // namespace

TEST_CASE("P11: a killed publisher is reported lost at once and its restart is an incarnation change, not a gap") {
  for (unsigned instant = 0; instant != instants(); ++instant) {
    CAPTURE(instant);
    Couple couple{instant, {"subscriber", heartbeat}, {"publisher", heartbeat}};
    REQUIRE(couple.mortal->works("matched 20000", "matched"));
    couple.mortal->say("publish 1000000000 100 4000");
    const std::uint64_t enough = seeded(instant, 1, 2000);
    REQUIRE(couple.survivor->until([&](const Heard& heard) { return heard.ledger.delivered() >= enough; }));
    const std::size_t mark = couple.survivor->mark();
    const std::int64_t killed = couple.mortal->kill();
    const Line lost = couple.survivor->line("event", "peer_lost", mark, at_once);
    CHECK(lost.is("event", "peer_lost"));
    const std::uint64_t before = couple.survivor->heard().ledger.missing();

    couple.restart(2);
    REQUIRE(couple.mortal->works("matched 20000", "matched"));
    couple.mortal->say("publish 300 100 4000");
    REQUIRE(couple.mortal->line("done").is("done"));
    const std::int64_t published = now_ns();
    CHECK(couple.survivor->until([](const Heard& heard) { return heard.ledger.covers(2, 1, 300); }));
    const Heard heard = couple.survivor->heard();
    CHECK(heard.ledger.faults() == "");
    CHECK(heard.ledger.changes() == 1);
    CHECK(heard.count("wrong") == 0);
    CHECK(heard.ledger.missing() - before <= couple.mortal->stats("link", "load")["dropped"]);
    std::printf("publisher killed after %llu messages: lost after %.1f ms, restarted and done after %.0f ms\n",
                static_cast<unsigned long long>(enough), ms_between(killed, lost.at), ms_between(killed, published));
  }
}

TEST_CASE("P8: a killed subscriber is lost at once, and its next lifetime misses nothing from confirmed on") {
  for (unsigned instant = 0; instant != instants(); ++instant) {
    CAPTURE(instant);
    Couple couple{instant, {"publisher", heartbeat}, {"subscriber", heartbeat}};
    REQUIRE(couple.survivor->works("matched 20000", "matched"));
    couple.survivor->say("publish 1000000000 100 4000");
    const std::uint64_t enough = seeded(100 + instant, 1, 2000);
    REQUIRE(couple.mortal->until([&](const Heard& heard) { return heard.ledger.delivered() >= enough; }));
    CHECK(couple.mortal->heard().ledger.faults() == "");
    const std::size_t mark = couple.survivor->mark();
    const std::int64_t killed = couple.mortal->kill();
    const Line lost = couple.survivor->line("bus", "peer_lost", mark, at_once);
    CHECK(lost.is("bus", "peer_lost"));

    couple.restart(1);
    const Line confirmed = couple.mortal->line("event", "confirmed");
    REQUIRE(confirmed.is("event", "confirmed"));
    // What is published behind the first progress that was written after the confirmation was told.
    std::uint64_t first = 0;
    REQUIRE(couple.survivor->until([&](const Heard& heard) {
      for (std::size_t i = mark; i < heard.lines.size() && first == 0; ++i) {
        if (heard.lines[i].is("published") && heard.lines[i].at > confirmed.at) first = heard.lines[i].number(1) + 1;
      }
      return first != 0;
    }));
    REQUIRE(couple.mortal->until([&](const Heard& heard) { return heard.ledger.last_id() >= first + 500; }));
    std::printf("subscriber killed after %llu messages: lost after %.1f ms, confirmed again after %.0f ms\n",
                static_cast<unsigned long long>(enough), ms_between(killed, lost.at), ms_between(killed, confirmed.at));
    settle(*couple.survivor, *couple.mortal, 1, first, heartbeat_time);
    CHECK(couple.mortal->heard().ledger.changes() == 0);
  }
}

TEST_CASE("P12: requests of a server killed in their midst end peer_lost and maybe_executed, at once and each once") {
  for (unsigned instant = 0; instant != instants(); ++instant) {
    CAPTURE(instant);
    Couple couple{instant, {"client", heartbeat}, {"server", heartbeat}};
    ActorProcess& client = *couple.survivor;
    REQUIRE(client.works("wait_server 20000", "server"));
    const std::uint64_t answered = seeded(200 + instant, 1, 800);
    client.say("ask 1 " + std::to_string(answered) + " 200 20000 0");
    REQUIRE(client.until([&](const Heard& heard) { return heard.count("outcome") == answered; }));
    client.say("ask 10001 4 200 20000 1");
    REQUIRE(couple.mortal->until([&](const Heard& heard) { return heard.count("asked") == answered + 4; }));
    // Others are on their way, at whatever point the kill finds them.
    client.say("ask 20001 200 200 20000 0");
    REQUIRE(couple.mortal->until([&](const Heard& heard) { return heard.count("asked") > answered + 4; }));
    const std::int64_t killed = couple.mortal->kill();
    CHECK(client.until([&](const Heard& heard) { return heard.count("outcome") >= answered + 204; }, at_once));

    std::set<std::string> started;
    for (const Line& line : couple.mortal->heard().lines) {
      if (line.is("asked")) started.insert(line.words[1]);
    }
    const Heard heard = client.heard();
    std::set<std::string> ended;
    std::int64_t last_at = killed;
    unsigned held = 0, cut_short = 0;
    for (const Line& line : heard.lines) {
      if (!line.is("outcome")) continue;
      const std::string id = line.words[1];
      CHECK_MESSAGE(ended.insert(id).second, "two outcomes of " << id);
      last_at = std::max(last_at, line.at);
      const bool is_lost = line.words[2] == "peer_lost";
      cut_short += is_lost;
      if (line.number(1) > 10000 && line.number(1) < 20000) {
        held += is_lost && line.words[3] == "maybe_executed";
      } else if (line.words[2] != "reply") {
        // Those asked when the link had ended already find no server.
        const bool is_right = line.words[3] == "not_started" ? !started.contains(id) : is_lost;
        CHECK_MESSAGE(is_right, "request " << id << " ended " << line.words[2] << ' ' << line.words[3]
                                           << (started.contains(id) ? ", and it was begun" : ", and it was not begun"));
      }
    }
    CHECK(ended.size() == answered + 204);
    CHECK(held == 4);
    CHECK(heard.count("wrong") == 0);

    couple.restart(1);
    REQUIRE(client.works("wait_server 20000", "server"));
    const std::int64_t back = now_ns();
    client.say("ask 30001 1 200 20000 0");
    CHECK(client.line("outcome", "30001").is("outcome", "30001"));
    CHECK(client.heard().last("outcome")->words[2] == "reply");
    std::printf("server killed after %llu replies: %u requests lost, the last told after %.1f ms; "
                "served again after %.0f ms\n",
                static_cast<unsigned long long>(answered), cut_short, ms_between(killed, last_at),
                ms_between(killed, back));
  }
}

}  // namespace midplane::test
