/// A lane's promise to its sender: what was pushed is seen by a consumer that was told, or looks again by itself.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "mailbox/lane.hpp"

using namespace midplane;
using namespace midplane::mailbox;

namespace {

constexpr unsigned lanes_each = 3;

void linger(unsigned turns) {
  volatile unsigned left = turns;
  while (left > 0) left = left - 1;
}

/// A consumer of several lanes that goes to rest with each as soon as it is empty.
struct Consumer {
  Admission admission{64, 1 << 20};
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<std::atomic<bool>> told = std::vector<std::atomic<bool>>(lanes_each);
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> over{false};
  unsigned consumed_rounds = 0;
  const bool attends;

  explicit Consumer(bool attending = false) : attends{attending} {
    for (unsigned i = 0; i < lanes_each; ++i) lanes.push_back(Lane::make(admission, i + 1));
  }
  void run() {
    while (!over.load()) {
      bool idle = true;
      for (unsigned i = 0; i < lanes_each; ++i) {
        if (!told[i].exchange(false)) continue;
        idle = false;
        Lane& lane = *lanes[i];
        do {
          if (attends) lane.attend();
          // At every distance from what the sender does meanwhile.
          linger(consumed_rounds++ % 53);
          for (std::uint64_t at = lane.position(); at < lane.filled(); ++at) {
            lane.advance(at, lane.peek(at)->size);
            taken.fetch_add(1);
          }
          linger(consumed_rounds % 47);
        } while (!lane.unlist());
      }
      if (idle) std::this_thread::yield();
    }
  }
};

}  // namespace

TEST_CASE("a message is never left behind by a consumer that attended the lane and goes to rest") {
  if (!base::can_order_all_threads()) {
    MESSAGE("membarrier(2) is refused here: no lane is attended");
    return;
  }
  Consumer consumer{true};
  std::thread thread{[&] { consumer.run(); }};
  wire::Envelope envelope{};
  envelope.size = 8;
  const Instant enough = base::steady_now() + std::chrono::seconds{5};
  std::uint64_t sent = 0, spared = 0;
  bool all_seen = true;
  for (int round = 0; round < 600'000 && all_seen; ++round) {
    const Instant now = base::steady_now();
    if (now > enough) break;
    const Instant until = now + std::chrono::seconds{30};
    Lane& lane = *consumer.lanes[0];
    for (int more = round % 4; more >= 0; --more) {
      linger(static_cast<unsigned>(round) % 61);
      while (!lane.reserve(8)) std::this_thread::yield();
      ++sent;
      if (lane.push(&envelope)) consumer.told[0].store(true);
      else ++spared;
    }
    for (int looks = 0; consumer.taken.load() < sent && (all_seen = base::steady_now() < until); ++looks) {
      if (looks > 1000) std::this_thread::yield();
    }
  }
  CHECK(all_seen);
  CHECK(consumer.taken.load() == sent);
  CHECK(spared > 0);
  MESSAGE("of " << sent << " messages " << spared << " met a consumer that looked by itself");
  consumer.over.store(true);
  thread.join();
}

TEST_CASE("a lane that was attended is looked at once more where the system refuses to order all threads") {
  struct Refused : base::Proven {
    static bool all_threads() noexcept { return false; }
  };
  Admission admission{64, 1 << 20};
  const auto lane = BasicLane<Refused>::make(admission, 1);
  wire::Envelope envelope{};
  REQUIRE(lane->reserve(0));
  CHECK(lane->push(&envelope));
  lane->attend();
  CHECK(!lane->unlist());  // not empty
  lane->advance(0, 0);
  lane->attend();
  CHECK(!lane->unlist());  // a push may just have seen that it is attended
  REQUIRE(lane->reserve(0));
  CHECK(!lane->push(&envelope));
  lane->advance(1, 0);
  CHECK(lane->unlist());
  REQUIRE(lane->reserve(0));
  CHECK(lane->push(&envelope));
}

TEST_CASE("a message for several lanes, told of once behind all pushes, is never left behind by a consumer that goes to rest") {
  Consumer consumer;
  std::thread thread{[&] { consumer.run(); }};
  wire::Envelope envelope{};
  envelope.size = 8;
  const Instant enough = base::steady_now() + std::chrono::seconds{5};  // of a slow build
  std::uint64_t sent = 0;
  bool all_seen = true;
  for (int round = 0; round < 600'000 && all_seen; ++round) {
    const Instant now = base::steady_now();
    if (now > enough) break;
    const Instant until = now + std::chrono::seconds{30};
    linger(static_cast<unsigned>(round) % 61);
    for (const auto& lane : consumer.lanes) {
      while (!lane->reserve(8)) std::this_thread::yield();
      static_cast<void>(lane->push(&envelope, Telling::later));
      ++sent;
    }
    Lane::order_pushes();
    for (unsigned i = 0; i < lanes_each; ++i) {
      if (!consumer.lanes[i]->looks_listed() && consumer.lanes[i]->mark_listed()) consumer.told[i].store(true);
    }
    // Nothing comes behind it that could make good for a consumer that was not told.
    for (int looks = 0; consumer.taken.load() < sent && (all_seen = base::steady_now() < until); ++looks) {
      if (looks > 1000) std::this_thread::yield();
    }
  }
  CHECK(all_seen);
  CHECK(consumer.taken.load() == sent);
  consumer.over.store(true);
  thread.join();
}
