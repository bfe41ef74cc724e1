/// 64 kbit/s, and a publisher that offers far more.
#include "processes/scene.hpp"

namespace midplane::test {

TEST_CASE("P11: a flooded link of 64 kbit/s stays alive, answers small requests in time and explains its losses") {
  constexpr std::uint64_t bytes_per_second = 8000;
  const std::uint64_t requests = is_soak() ? 100 : 8;
  Through line{{"subscriber,client", "heartbeat=1000", "queue=64"}, {"publisher,server", "heartbeat=1000"}, 4096};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  REQUIRE(publisher.works("matched 20000", "matched"));
  REQUIRE(subscriber.works("wait_server 20000", "server"));
  line.proxy->rate(bytes_per_second);
  const std::int64_t began = now_ns();
  // Twenty times what the line carries; 64 of them wait 3.5 s, so the tail is told in time.
  publisher.say("publish 1000000000 400 400");
  double slowest_ms = 0;
  std::uint64_t answered = 0;
  for (std::uint64_t id = 1; id <= requests; ++id) {
    // One after the other; 5 s is the default timeout of a request.
    subscriber.say("ask " + std::to_string(id) + " 1 64 5000 0");
    const Line outcome = subscriber.line("outcome", std::to_string(id));
    REQUIRE(outcome.words.size() > 3);
    if (outcome.words[2] != "reply") break;
    ++answered;
    slowest_ms = std::max(slowest_ms, static_cast<double>(outcome.number(4)) / 1000);
  }
  // Longer than the silence that would end the link.
  const std::uint64_t enough = bytes_per_second * 4;
  CHECK(line.proxy->until([&](const Proxy::Counts& counts) { return counts.forwarded[0] >= enough; }, event_limit));
  CHECK(publisher.heard().count("bus", "peer_lost") == 0);
  CHECK(subscriber.heard().count("bus", "peer_lost") == 0);
  std::printf("64 kbit/s for %.1f s: %llu of %llu requests answered, the slowest after %.0f ms; %llu bytes carried\n",
              ms_between(began, now_ns()) / 1000, static_cast<unsigned long long>(answered),
              static_cast<unsigned long long>(requests), slowest_ms,
              static_cast<unsigned long long>(line.proxy->forwarded(Way::up)));
  REQUIRE(answered == requests);
  settle(publisher, subscriber, 1, 1, 1000ms);
}

}  // namespace midplane::test
