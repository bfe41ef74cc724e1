/// MIDPLANE_SOAK_MESSAGES (10 million) from one process to another over tcp, by a line that is cut five times.
#include "processes/scene.hpp"

namespace midplane::test {
namespace {

constexpr std::uint64_t growth_max = std::uint64_t{1} << 20;
constexpr std::chrono::milliseconds heartbeat{100};

std::uint64_t messages() {
  const char* text = std::getenv("MIDPLANE_SOAK_MESSAGES");
  return text ? std::strtoull(text, nullptr, 10) : 10'000'000;
}

/// Reaches the message with this id, delivered or not.
void wait_for(ActorProcess& publisher, std::uint64_t id) {
  REQUIRE(publisher.until([&](const Heard& heard) {
    const Line* line = heard.lines.empty() ? nullptr : &heard.lines.back();
    if (line && !line->is("published") && !line->is("done")) line = heard.last("published");
    return line && line->number(1) >= id;
  }, std::chrono::minutes{5}));
}

void cut(Proxy& proxy, unsigned which) {
  if (which % 5 == 0) proxy.cut();
  if (which % 5 == 1) proxy.reset();
  if (which % 5 == 2) proxy.half_open(Way::up);
  if (which % 5 == 3) proxy.half_open(Way::down);
  if (which % 5 == 4) proxy.reset_after(Way::up, 10'000);
}

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

TEST_CASE("P8 and P10: millions of messages over a line that is cut five times: every loss is told, and memory is flat") {
  const std::uint64_t count = messages();
  // Long enough for five cuts to be noticed and mended meanwhile.
  const std::uint64_t per_second = std::clamp<std::uint64_t>(count / 15, 1000, 200'000);
  const std::string beat = "heartbeat=" + std::to_string(heartbeat.count());
  // It makes its sender keep within its queue, which is less than may grow: whatever is lost then was lost by the sender, who has to say so.
  Through line{{"subscriber", beat, "queue=4096", "block"}, {"publisher", beat}};
  ActorProcess& subscriber = *line.listens;
  ActorProcess& publisher = *line.dials;
  REQUIRE(publisher.works("matched 20000", "matched"));
  const std::int64_t began = now_ns();
  publisher.say("publish " + std::to_string(count) + " 32 " + std::to_string(per_second));
  std::uint64_t first_tenth[2]{};
  for (unsigned which = 0; which != 5; ++which) {
    CAPTURE(which);
    // The first one within the first tenth: what a cut takes for good is not growth then.
    wait_for(publisher, count * (1 + 4 * which) / 20);
    const std::size_t here = publisher.mark();
    const std::size_t there = subscriber.mark();
    const std::uint64_t missing = subscriber.heard().ledger.missing();
    const std::int64_t cut_at = now_ns();
    cut(*line.proxy, which);
    REQUIRE(publisher.line("bus", "peer_lost", here).is("bus", "peer_lost"));
    REQUIRE(subscriber.line("event", "peer_lost", there).is("event", "peer_lost"));
    line.proxy->heal();
    REQUIRE(subscriber.line("event", "confirmed", there).is("event", "confirmed"));
    const std::uint64_t delivered = subscriber.heard().ledger.delivered();
    REQUIRE(subscriber.until([&](const Heard& heard) { return heard.ledger.delivered() > delivered; }));
    std::printf("  cut %u: whole again after %.0f ms, %llu messages in gaps\n", which + 1, ms_between(cut_at, now_ns()),
                static_cast<unsigned long long>(subscriber.heard().ledger.missing() - missing));
    if (which != 0) continue;
    wait_for(publisher, count / 10);
    first_tenth[0] = publisher.resident_bytes();
    first_tenth[1] = subscriber.resident_bytes();
  }
  wait_for(publisher, count);
  const std::uint64_t last_tenth[]{publisher.resident_bytes(), subscriber.resident_bytes()};
  std::printf("  resident MiB after the first and the last tenth: publisher %.2f and %.2f, subscriber %.2f and %.2f\n",
              mebibytes(first_tenth[0]), mebibytes(last_tenth[0]), mebibytes(first_tenth[1]), mebibytes(last_tenth[1]));
  settle(publisher, subscriber, 1, 1, heartbeat);
  for (const auto& [reason, lost] : publisher.stats("link", "load"))
    std::printf("  the sender: %s %llu\n", reason.c_str(), static_cast<unsigned long long>(lost));
  const Heard heard = subscriber.heard();
  CHECK(heard.ledger.changes() == 0);
  CHECK(heard.ledger.missing() > 0);
  CHECK(heard.ledger.delivered() + heard.ledger.missing() == count);
  for (int side : {0, 1}) CHECK(last_tenth[side] <= first_tenth[side] + growth_max);
  std::printf("%llu messages in %.1f s\n", static_cast<unsigned long long>(count), ms_between(began, now_ns()) / 1000);
}

}  // namespace midplane::test
