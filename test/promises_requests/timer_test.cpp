/// Timers: when they run, and how they end.
#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("who drops a Timer outside a handler finds no call of it running any more, and nothing of what it captured") {
  for (int round = 0; round < 20; ++round) {
    Bus bus = Bus::open().value();
    std::atomic<bool> runs{false}, is_dropped{false}, has_ended{false};
    const auto captured = std::make_shared<int>(round);
    auto timer = bus.after(0ms, [&, captured] {
      runs = true;
      while (!is_dropped) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      has_ended = true;
    });
    while (!runs) std::this_thread::yield();
    is_dropped = true;
    timer = {};
    CHECK(has_ended);
    CHECK(captured.use_count() == 1);
  }
}

TEST_CASE("a timer is held up by two calls of a slow handler, and by what it does in 250 us behind them") {
  for (const Duration call : {Duration{1ms}, Duration{300us}, Duration{240us}, Duration{100us}, Duration{20us}}) {
    CAPTURE(call.count());
    World world;
    constexpr Topic<Bytes> topic{"slow"};
    int handled = 0, handled_before = -1;
    auto sub = world.bus.subscribe(topic, [&](const Message<Bytes>&) {
      ++handled;
      world.clock->advance(call);
    }).value();
    auto publisher = world.bus.publisher(topic).value();
    for (int i = 0; i < 200; ++i) CHECK(publisher.publish(bytes("n")));
    auto timer = world.bus.after(call, [&] { handled_before = handled; });
    world.settle();
    CHECK(handled == 200);
    CHECK(handled_before >= 1);
    CHECK(handled_before <= 2 + Duration{250us} / call + 1);
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

TEST_CASE("a Timer may be owned by what its own call holds") {
  for (const bool pooled : {true, false}) {
    auto loop = manual_executor();
    auto bus = Bus::open({.executor = pooled ? pool_executor({.threads = 1}).value() : loop}).value();
    struct Waited {
      std::promise<void>& gone;
      Timer timer{};
      ~Waited() {
        timer = {};
        gone.set_value();
      }
    };
    std::promise<void> gone;
    auto is_gone = gone.get_future();
    std::promise<void> set;
    auto waited = std::make_shared<Waited>(gone);
    waited->timer = bus.after(0ms, [waited, now = set.get_future().share()] { now.wait(); });
    waited.reset();
    set.set_value();
    while (!pooled && loop->poll() == 0) {}
    is_gone.wait();
    CHECK(bus.close(1s).complete);
  }
}

TEST_CASE("nothing that a Timer's call holds outlives its handle, not even when the executor is about to make the call") {
  /// Has taken every timer out of its heap, and fires when told to.
  struct Late final : Executor {
    void submit(Work& work) noexcept override { works.push_back(&work); }
    void start(TimerWork& timer) noexcept override { timers.push_back(&timer); }
    bool cancel(TimerWork&) noexcept override { return false; }
    [[nodiscard]] bool runs_here() const noexcept override { return false; }
    [[nodiscard]] bool may_wait_here() const noexcept override { return false; }
    bool stop(Instant) noexcept override { return true; }
    std::vector<Work*> works;
    std::vector<TimerWork*> timers;
  };
  auto late = std::make_shared<Late>();
  auto bus = Bus::open({.executor = late}).value();
  auto held = std::make_shared<int>(0);
  auto timer = bus.after(0ms, [held] { ++*held; });
  CHECK(held.use_count() == 2);
  timer = {};
  CHECK(held.use_count() == 1);
  REQUIRE(late->timers.size() == 1);
  late->timers[0]->fire();
  CHECK(*held == 0);
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
