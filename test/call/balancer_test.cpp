/// A balancer of the user's, through the public door.
#include <doctest/doctest.h>

#include <map>
#include <vector>

#include <midplane/describe.hpp>
#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_executor.hpp>

using namespace midplane;
using namespace std::chrono_literals;

namespace {

struct Diary final : Balancer {
  std::size_t pick(std::span<const Candidate> candidates) noexcept override {
    std::size_t best = none;
    std::map<std::string, std::uint64_t> now;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      now[std::string{candidates[i].peer}] = candidates[i].waiting;
      if (!candidates[i].tried && (best == none || candidates[i].waiting < candidates[best].waiting)) best = i;
    }
    seen.push_back(std::move(now));
    return answers_nonsense ? 77 : best;
  }
  std::vector<std::map<std::string, std::uint64_t>> seen;
  bool answers_nonsense = false;
};

constexpr Service<Bytes, Bytes> work{"work"};
const std::vector<std::byte> nothing(1);

/// Two servers that answer when told to, and a client with a Diary.
struct Fleet {
  Fleet() {
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::string name = i == 0 ? "a" : "b";
      buses.push_back(Bus::open({.name = name, .executor = loop, .clock = clock, .random = seeded_random(i + 1)}).value());
      servers.push_back(buses[i].serve(work, [this, i](Request<Bytes>, Responder<Bytes> responder) {
        waiting[i].push_back(std::move(responder));
      }).value());
      buses[i].attach(network.transport(name, {.listen = {"sim://" + name}})).value();
    }
    asker.attach(network.transport("asker", {.peers = {"sim://a", "sim://b"}})).value();
    run();
  }
  void run() { testing::run_through(*loop, *clock, 100ms); }
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  testing::FaultyNetwork network{3};
  std::vector<Responder<Bytes>> waiting[2];
  std::vector<Bus> buses;
  std::vector<Server> servers;
  Bus asker = Bus::open({.name = "asker", .executor = loop, .clock = clock, .random = seeded_random(3)}).value();
  std::shared_ptr<Diary> diary = std::make_shared<Diary>();
  Client<Bytes, Bytes> client = asker.client(work, {.balancer = diary}).value();
};

}  // namespace

TEST_CASE("a balancer sees what each far server has not answered yet, and its pick gets the request") {
  Fleet fleet;
  std::vector<Pending<Bytes>> pending;
  for (int i = 0; i < 4; ++i) pending.push_back(fleet.client.request(nothing));
  fleet.run();
  CHECK(fleet.waiting[0].size() == 2);
  CHECK(fleet.waiting[1].size() == 2);
  CHECK(fleet.diary->seen.back() == std::map<std::string, std::uint64_t>{{"a", 2}, {"b", 1}});
  for (auto& responder : fleet.waiting[1]) REQUIRE(responder.reply(nothing));
  fleet.run();
  pending.erase(std::remove_if(pending.begin(), pending.end(), [](auto& one) { return one.ready(); }), pending.end());
  REQUIRE(pending.size() == 2);
  pending.push_back(fleet.client.request(nothing));
  CHECK(fleet.diary->seen.back() == std::map<std::string, std::uint64_t>{{"a", 2}, {"b", 0}});
  fleet.run();
  CHECK(fleet.waiting[1].size() == 3);
}

TEST_CASE("a balancer that picks nobody, or somebody who is not there, ends the request busy") {
  Fleet fleet;
  fleet.diary->answers_nonsense = true;
  const auto reply = fleet.client.request(nothing).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code() == ErrorCode::busy);
  CHECK(reply.error().fate() == Fate::not_started);
}
