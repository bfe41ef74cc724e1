/// Timers: when they run, and how they end.
#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("who drops a Timer outside a handler finds no call of it running any more") {
  for (int round = 0; round < 20; ++round) {
    Bus bus = Bus::open().value();
    std::atomic<bool> runs{false}, is_dropped{false}, has_ended{false};
    auto timer = bus.after(0ms, [&] {
      runs = true;
      while (!is_dropped) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      has_ended = true;
    });
    while (!runs) std::this_thread::yield();
    is_dropped = true;
    timer = {};
    CHECK(has_ended);
  }
}

TEST_CASE("a Timer may be dropped by its own call") {
  Bus bus = Bus::open().value();
  Timer timer;
  std::atomic<bool> has_ended{false}, is_set{false};
  timer = bus.after(0ms, [&] {
    while (!is_set) std::this_thread::yield();
    timer = {};
    has_ended = true;
  });
  is_set = true;
  while (!has_ended) std::this_thread::yield();
}

TEST_CASE("timers run in the bus's time, once or again and again, and dropping one stops it") {
  World world;
  int once = 0, beats = 0;
  auto one = world.bus.after(10ms, [&] { ++once; });
  {
    auto every = world.bus.every(10ms, [&] { ++beats; });
    world.pass(35ms);
    CHECK(beats == 3);
  }
  auto never = world.bus.after(Duration::max(), [&] { once += 100; });
  world.pass(1s);
  CHECK(once == 1);
  CHECK(beats == 3);
}
