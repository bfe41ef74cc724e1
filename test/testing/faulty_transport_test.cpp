#include <algorithm>

#include "testing/faulty_worlds.hpp"

namespace midplane::test {
namespace {

using std::chrono::milliseconds;

/// Two nodes, "a" dialling "b".
struct Two {
  explicit Two(std::uint64_t seed = 1, testing::Faults faults = {}) : world{seed} {
    world.network.faults(faults);
    REQUIRE(a->start(world.context(at_a)));
    REQUIRE(b->start(world.context(at_b)));
    REQUIRE(b->listen("sim://b"));
    REQUIRE(a->dial("sim://b"));
    world.settle();
    REQUIRE(at_a.ups() == 1);
    REQUIRE(at_b.ups() == 1);
    out = at_a.latest();
    in = at_b.latest();
  }
  ~Two() {
    a->stop();
    b->stop();
    CHECK(at_a.law_broken() == "");
    CHECK(at_b.law_broken() == "");
  }
  Sent send(std::string_view text) { return a->send(out, bytes_of(text)); }
  std::vector<std::string> arrived() { return at_b.seen(in).frames; }

  FaultyLoop world;
  Recorder at_a;
  Recorder at_b;
  std::unique_ptr<Transport> a = world.network.transport("a");
  std::unique_ptr<Transport> b = world.network.transport("b");
  ConnectionId out{};
  ConnectionId in{};
};

std::uint64_t run_with(std::uint64_t seed) {
  Two two{seed, {.delay_min = milliseconds{1}, .delay_max = milliseconds{50}, .corrupt = 0.1, .duplicate = 0.1, .lose = 0.1, .reorder = 0.1}};
  for (int i = 0; i != 100; ++i) static_cast<void>(two.send("frame " + std::to_string(i)));
  two.world.settle();
  return two.world.network.trace_hash();
}

}  // namespace

TEST_CASE("one seed is one run") {
  CHECK(run_with(5) == run_with(5));
  CHECK(run_with(5) != run_with(6));
}

TEST_CASE("a delay lies in its range and keeps the order") {
  Two two{1, {.delay_min = milliseconds{10}, .delay_max = milliseconds{30}}};
  const Instant start = two.world.clock.now();
  for (int i = 0; i != 50; ++i) REQUIRE(two.send(std::to_string(i)) == Sent::taken);
  two.world.settle();
  const auto frames = two.arrived();
  REQUIRE(frames.size() == 50);
  for (int i = 0; i != 50; ++i) CHECK(frames[static_cast<std::size_t>(i)] == std::to_string(i));
  CHECK(two.world.clock.now() >= start + milliseconds{10});
  CHECK(two.world.clock.now() <= start + milliseconds{30});
}

TEST_CASE("a cut holds frames, tells nobody and fails dials; heal brings the frames in order") {
  Two two;
  REQUIRE(two.send("before") == Sent::taken);
  two.world.settle();
  two.world.network.cut("a", "b");
  REQUIRE(two.send("one") == Sent::taken);
  REQUIRE(two.send("two") == Sent::taken);
  REQUIRE(two.a->dial("sim://b"));
  two.world.settle();
  CHECK(two.arrived() == std::vector<std::string>{"before"});
  CHECK(two.at_a.failed().size() == 1);
  CHECK(two.at_a.downs() + two.at_b.downs() == 0);
  CHECK_FALSE(two.a->flushed());
  two.world.network.heal("a", "b");
  two.world.settle();
  CHECK(two.arrived() == std::vector<std::string>{"before", "one", "two"});
  CHECK(two.a->flushed());
}

TEST_CASE("a cut catches what is on its way") {
  Two two{1, {.delay_min = milliseconds{10}, .delay_max = milliseconds{10}}};
  REQUIRE(two.send("late") == Sent::taken);
  two.world.network.cut_one_way("a", "b");
  two.world.settle();
  CHECK(two.arrived().empty());
  REQUIRE(two.b->send(two.in, bytes_of("the other way")) == Sent::taken);
  two.world.settle();
  CHECK(two.at_a.frames(two.out) == 1);
  two.world.network.heal("a", "b");
  two.world.settle();
  CHECK(two.arrived() == std::vector<std::string>{"late"});
}

TEST_CASE("an end in a cut is told at the other side when it heals") {
  Two two;
  two.world.network.cut("a", "b");
  two.a->disconnect(two.out);
  two.world.settle();
  CHECK(two.at_a.downs() == 1);
  CHECK(two.at_b.downs() == 0);
  two.world.network.heal("a", "b");
  two.world.settle();
  CHECK(two.at_b.downs() == 1);
}

TEST_CASE("a half-open connection is down at one side; the other sends into nothing until it is full") {
  Two two{1, {.bytes_in_flight_max = 1000}};
  two.world.network.half_open("b", "a");
  two.world.settle();
  CHECK(two.at_b.downs() == 1);
  CHECK(two.at_a.downs() == 0);
  const std::string frame(100, 'x');
  int taken = 0;
  while (two.send(frame) == Sent::taken) taken++;
  CHECK(taken == 10);
  two.world.settle();
  CHECK(two.arrived().empty());
  CHECK(two.at_a.writables(two.out) == 0);
  two.a->disconnect(two.out);
  two.world.settle();
  CHECK(two.at_a.downs() == 1);
}

TEST_CASE("each fault does what its name says") {
  const auto arrived_with = [](testing::Faults faults) {
    Two two;
    two.world.network.faults("a", "b", faults);
    for (int i = 0; i != 20; ++i) static_cast<void>(two.send("frame" + std::to_string(i)));
    two.world.settle();
    return two.arrived();
  };
  const auto plain = arrived_with({});
  CHECK(plain.size() == 20);
  CHECK(arrived_with({.lose = 1}).empty());
  CHECK(arrived_with({.duplicate = 1}).size() == 40);
  const auto corrupt = arrived_with({.corrupt = 1});
  REQUIRE(corrupt.size() == 20);
  for (std::size_t i = 0; i != corrupt.size(); ++i) {
    CHECK(corrupt[i] != plain[i]);
    CHECK(corrupt[i].size() == plain[i].size());
  }
  auto reordered = arrived_with({.delay_max = milliseconds{50}, .reorder = 1});
  CHECK(reordered != plain);
  std::sort(reordered.begin(), reordered.end());
  auto sorted = plain;
  std::sort(sorted.begin(), sorted.end());
  CHECK(reordered == sorted);
}

TEST_CASE("a connection that breaks is told down at both ends, and so is one that is ended from outside") {
  for (const bool by_chance : {true, false}) {
    Two two;
    if (by_chance) {
      two.world.network.faults({.disconnect = 1});
      static_cast<void>(two.send("x"));
    } else {
      two.world.network.disconnect("b", "a");
    }
    CHECK(two.send("y") == Sent::gone);
    two.world.settle();
    CHECK(two.at_a.downs() == 1);
    CHECK(two.at_b.downs() == 1);
    CHECK(two.arrived().empty());
  }
}

TEST_CASE("a crashed node is told down at its peers, hears nothing, and its name comes back to life") {
  Two two{1, {.delay_min = milliseconds{10}, .delay_max = milliseconds{10}}};
  REQUIRE(two.b->send(two.in, bytes_of("last words")) == Sent::taken);
  two.world.network.crash("b");
  CHECK(two.b->send(two.in, bytes_of("ghost")) == Sent::gone);
  two.world.settle();
  CHECK(two.at_a.downs() == 1);
  CHECK(two.at_a.frames(two.out) == 0);
  CHECK(two.at_b.downs() == 0);
  Recorder reborn;
  auto again = two.world.network.transport("b");
  REQUIRE(again->start(two.world.context(reborn)));
  REQUIRE(again->listen("sim://b"));
  REQUIRE(two.a->dial("sim://b"));
  two.world.settle();
  CHECK(reborn.ups() == 1);
  again->stop();
}

TEST_CASE("a node can dial itself") {
  Two two;
  REQUIRE(two.b->dial("sim://b"));
  two.world.settle();
  CHECK(two.at_b.ups() == 3);
}

TEST_CASE("stop within a call into nothing of this node leaves nothing to be told") {
  Two two{1, {.delay_min = milliseconds{10}, .delay_max = milliseconds{10}}};
  two.at_a.on_frame = [&](ConnectionId, std::span<const std::byte>) { two.b->stop(); };
  REQUIRE(two.b->send(two.in, bytes_of("x")) == Sent::taken);
  REQUIRE(two.send("y") == Sent::taken);
  two.world.settle();
  CHECK(two.at_b.downs() == 0);
  CHECK(two.at_a.downs() == 1);
}

TEST_CASE("the trace names what happened") {
  std::string lines;
  Two two;
  two.world.network.on_trace([&](std::string_view line) { lines.append(line).append("\n"); });
  REQUIRE(two.send("abc") == Sent::taken);
  two.world.settle();
  CHECK(lines == "1000000000 a sends #1 3\n1000000000 b frame #1 3\n");
}

}  // namespace midplane::test
