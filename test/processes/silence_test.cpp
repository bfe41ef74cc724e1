/// Peers that are there and say nothing: stopped, cut off, half cut off.
#include <signal.h>

#include <set>

#include "processes/scene.hpp"

namespace midplane::test {
namespace {

const std::string heartbeat = "heartbeat=100";
constexpr std::chrono::milliseconds heartbeat_time{100};
constexpr std::chrono::milliseconds lost_limit = 3 * heartbeat_time * real_time_factor;

/// A publisher that goes on and on through a proxy to a subscriber that listens.
struct Traffic : Through {
  Traffic() : Through{{"subscriber", heartbeat}, {"publisher", heartbeat}} {
    REQUIRE(publisher().works("matched 20000", "matched"));
    publisher().say("publish 1000000000 100 2000");
    REQUIRE(subscriber().until([](const Heard& heard) { return heard.ledger.delivered() >= 200; }));
  }
  ActorProcess& publisher() { return *dials; }
  ActorProcess& subscriber() { return *listens; }
};

/// The link is there again and carries.
std::int64_t recovered(ActorProcess& subscriber, std::size_t mark) {
  const Line confirmed = subscriber.line("event", "confirmed", mark);
  CHECK(confirmed.is("event", "confirmed"));
  const std::uint64_t before = subscriber.heard().ledger.delivered();
  CHECK(subscriber.until([&](const Heard& heard) { return heard.ledger.delivered() > before + 200; }));
  return confirmed.at;
}

/// Ids the server has begun to work on.
std::set<std::string> begun(const ActorProcess& server) {
  std::set<std::string> ids;
  for (const Line& line : server.heard().lines) {
    if (line.is("asked")) ids.insert(line.words[1]);
  }
  return ids;
}

}  // namespace

TEST_CASE("a heartbeat below 10 ms or above 60 s is an invalid option, which the error names") {
  for (const char* wrong : {"heartbeat=9", "heartbeat=60001", "heartbeat=-1"}) {
    ActorProcess refused{{"publisher", wrong, "listen=tcp://127.0.0.1:0"}};
    const Line failed = refused.line("failed");
    REQUIRE(failed.words.size() > 2);
    CHECK(failed.words[1] == "invalid_option:");
    CHECK(failed.words[2] == "BusOptions::heartbeat");
  }
  for (const char* right : {"heartbeat=10", "heartbeat=60000"}) {
    ActorProcess taken{{"publisher", right, "listen=tcp://127.0.0.1:0"}};
    CHECK(taken.port() != 0);
  }
}

TEST_CASE("P11: a stopped subscriber is lost within three heartbeats, and when it goes on gaps say what it missed") {
  Traffic traffic;
  const std::size_t mark = traffic.publisher().mark();
  const std::int64_t stopped = traffic.subscriber().signal(SIGSTOP);
  const Line lost = traffic.publisher().line("bus", "peer_lost", mark, lost_limit);
  CHECK(lost.is("bus", "peer_lost"));
  const std::size_t before = traffic.subscriber().mark();
  const std::int64_t woken = traffic.subscriber().signal(SIGCONT);
  const std::int64_t back = recovered(traffic.subscriber(), before);
  std::printf("subscriber stopped: lost after %.0f ms, confirmed again %.0f ms after it went on\n",
              ms_between(stopped, lost.at), ms_between(woken, back));
  settle(traffic.publisher(), traffic.subscriber(), 1, 1, heartbeat_time);
}

TEST_CASE("P11: a stopped publisher is lost within three heartbeats, and when it goes on it is no other one") {
  Traffic traffic;
  const std::size_t mark = traffic.subscriber().mark();
  const std::int64_t stopped = traffic.publisher().signal(SIGSTOP);
  const Line lost = traffic.subscriber().line("event", "peer_lost", mark, lost_limit);
  CHECK(lost.is("event", "peer_lost"));
  const std::int64_t woken = traffic.publisher().signal(SIGCONT);
  const std::int64_t back = recovered(traffic.subscriber(), mark);
  std::printf("publisher stopped: lost after %.0f ms, confirmed again %.0f ms after it went on\n",
              ms_between(stopped, lost.at), ms_between(woken, back));
  settle(traffic.publisher(), traffic.subscriber(), 1, 1, heartbeat_time);
  CHECK(traffic.subscriber().heard().ledger.changes() == 0);
}

TEST_CASE("P11: both ends of a line that is cut lose each other within three heartbeats, and gaps say what was lost") {
  Traffic traffic;
  const std::size_t mark = traffic.subscriber().mark();
  const std::size_t sender_mark = traffic.publisher().mark();
  const std::int64_t cut = now_ns();
  traffic.proxy->cut();
  const Line there = traffic.subscriber().line("event", "peer_lost", mark, lost_limit);
  const Line here = traffic.publisher().line("bus", "peer_lost", sender_mark, lost_limit);
  CHECK(there.is("event", "peer_lost"));
  CHECK(here.is("bus", "peer_lost"));
  const std::int64_t healed = now_ns();
  traffic.proxy->heal();
  const std::int64_t back = recovered(traffic.subscriber(), mark);
  std::printf("line cut: lost after %.0f ms at the subscriber, %.0f ms at the publisher; "
              "confirmed again %.0f ms after it healed\n",
              ms_between(cut, there.at), ms_between(cut, here.at), ms_between(healed, back));
  settle(traffic.publisher(), traffic.subscriber(), 1, 1, heartbeat_time);
}

TEST_CASE("P11: a line that carries one direction only is lost to both ends, and gaps say what was lost") {
  for (const Way way : {Way::up, Way::down}) {
    const std::string name = way == Way::up ? "to the subscriber" : "to the publisher";
    CAPTURE(name);
    Traffic traffic;
    const std::size_t mark = traffic.subscriber().mark();
    const std::size_t sender_mark = traffic.publisher().mark();
    const std::int64_t cut = now_ns();
    traffic.proxy->half_open(way);
    const Line there = traffic.subscriber().line("event", "peer_lost", mark, lost_limit);
    const Line here = traffic.publisher().line("bus", "peer_lost", sender_mark, lost_limit);
    CHECK(there.is("event", "peer_lost"));
    CHECK(here.is("bus", "peer_lost"));
    const std::int64_t healed = now_ns();
    traffic.proxy->heal();
    const std::int64_t back = recovered(traffic.subscriber(), mark);
    std::printf("nothing %s: lost after %.0f ms at the subscriber, %.0f ms at the publisher; "
                "confirmed again %.0f ms after it healed\n",
                name.c_str(), ms_between(cut, there.at), ms_between(cut, here.at), ms_between(healed, back));
    settle(traffic.publisher(), traffic.subscriber(), 1, 1, heartbeat_time);
  }
}

TEST_CASE("P8: what is dropped at the end of a burst is reported though no message follows it") {
  Through line{{"subscriber", "heartbeat=2000", "queue=4096"}, {"publisher", "heartbeat=2000"}, 4096};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  REQUIRE(publisher.works("matched 20000", "matched"));
  // 30 MB at once: more than the sockets in between and the queue of this peer take.
  line.proxy->hold();
  publisher.say("publish 30000 1000 1000000");
  const Line done = publisher.line("done");
  REQUIRE(done.is("done"));
  line.proxy->heal();
  settle(publisher, subscriber, 1, 1, 2000ms);
  const Heard heard = subscriber.heard();
  CHECK(heard.ledger.missing() > 0);
  CHECK(heard.count("bus", "peer_lost") == 0);
  std::printf("end of a burst: %llu of 30000 dropped, all told %.0f ms after the last publish\n",
              static_cast<unsigned long long>(heard.ledger.missing()), ms_between(done.at, heard.lines.back().at));
}

TEST_CASE("P12: requests under way when the line is cut end peer_lost or timed_out, and never not_started once begun") {
  Through line{{"server", heartbeat}, {"client", heartbeat}};
  ActorProcess& server = *line.listens;
  ActorProcess& client = *line.dials;
  REQUIRE(client.works("wait_server 20000", "server"));
  client.say("ask 1 4 200 5000 1");
  REQUIRE(server.until([](const Heard& heard) { return heard.count("asked") == 4; }));
  const std::int64_t cut = now_ns();
  line.proxy->cut();
  client.say("ask 101 4 200 1000 0");
  CHECK(client.until([](const Heard& heard) { return heard.count("outcome") == 8; }, lost_limit));
  std::int64_t last_at = cut;
  const auto started = begun(server);
  for (const Line& outcome : client.heard().lines) {
    if (!outcome.is("outcome")) continue;
    last_at = std::max(last_at, outcome.at);
    const bool in_time = outcome.words[2] == "peer_lost" || outcome.words[2] == "timed_out";
    CHECK_MESSAGE(in_time, "a request that was cut off ended " << outcome.words[2]);
    CHECK_MESSAGE((outcome.words[3] == "maybe_executed" || !started.contains(outcome.words[1])),
                  "begun, and told " << outcome.words[3]);
  }
  const std::int64_t healed = now_ns();
  line.proxy->heal();
  REQUIRE(client.works("wait_server 20000", "server"));
  client.say("ask 201 1 200 5000 0");
  const Line reply = client.line("outcome", "201");
  REQUIRE(reply.words.size() > 2);
  CHECK(reply.words[2] == "reply");
  CHECK(client.heard().count("outcome") == 9);
  std::printf("requests cut off: the last of 8 ended after %.0f ms; served again %.0f ms after the line healed\n",
              ms_between(cut, last_at), ms_between(healed, reply.at));
}

TEST_CASE("P12: a request that had not left when its link ended is told not_started, and nobody ever ran it") {
  Through line{{"server", heartbeat}, {"client", heartbeat}, 4096};
  ActorProcess& server = *line.listens;
  ActorProcess& client = *line.dials;
  REQUIRE(client.works("wait_server 20000", "server"));
  // 200 requests of 64 KiB: more than all sockets in between take, so some wait in the link itself.
  line.proxy->hold();
  client.say("ask 1 200 65536 5000 0");
  CHECK(client.until([](const Heard& heard) { return heard.count("outcome") == 200; }, lost_limit));
  line.proxy->heal();
  REQUIRE(client.works("wait_server 20000", "server"));
  client.say("ask 1001 1 200 5000 0");
  const Line reply = client.line("outcome", "1001");
  REQUIRE(reply.words.size() > 2);
  CHECK(reply.words[2] == "reply");
  unsigned unsent = 0, unknown = 0, busy = 0;
  const auto started = begun(server);
  for (const Line& outcome : client.heard().lines) {
    if (!outcome.is("outcome") || outcome.words[2] == "reply") continue;
    if (outcome.words[2] == "busy") ++busy;
    else if (outcome.words[3] == "maybe_executed") ++unknown;
    else unsent += outcome.words[2] == "peer_lost";
    const bool is_right = outcome.words[3] != "not_started" || !started.contains(outcome.words[1]);
    CHECK_MESSAGE(is_right, "told not_started, and begun");
  }
  CHECK(unsent > 0);
  CHECK(client.heard().count("outcome") == 201);
  std::printf("200 requests behind a stuck line: %u had not left, %u may have, %u were refused busy\n", unsent,
              unknown, busy);
}

}  // namespace midplane::test
