/// `block` on a pool: a publish waits on a worker as long as another one can make the room, and never for itself.
#include <atomic>
#include <latch>
#include <thread>

#include "near_support.hpp"

using namespace midplane;
using namespace midplane::test;
using namespace std::chrono_literals;

namespace {

constexpr Topic<Bytes> start{"start"};
/// Longer than a test may last: who waits in vain fails it.
constexpr Duration for_ever = std::chrono::hours{1};

/// A bus on a pool with a subscription that blocks, and a handler that publishes there.
struct Busy {
  explicit Busy(unsigned threads) : bus{Bus::open({.executor = pool_executor({.threads = threads}).value()}).value()} {}
  Bus bus;
  std::atomic<int> seen{0};
  Publisher<Bytes> publisher = bus.publisher(numbers).value();
  Publisher<Bytes> starter = bus.publisher(start).value();
  Subscription subscription =
      bus.subscribe(numbers, [this](const Message<Bytes>&) { ++seen; },
                    with({.messages = 1, .overflow = Overflow::block, .block_for = for_ever})).value();
};

struct Tally {
  void add(const Result<Published>& published) {
    if (!published) {
      ++refused;
      deadlocks += published.error().code() == ErrorCode::would_deadlock;
      return;
    }
    queued += static_cast<int>(published->queued);
    dropped += static_cast<int>(published->dropped);
    deadlocks += published->would_deadlock;
  }
  std::atomic<int> queued{0}, dropped{0}, refused{0}, deadlocks{0};
};

}  // namespace

TEST_CASE("P4 block in a handler or a timer of a pool waits while another worker can make room, and loses nothing") {
  constexpr int count = 300;
  for (const bool in_timer : {false, true}) {
    CAPTURE(in_timer);
    Busy busy{2};
    Tally tally;
    std::latch done{1};
    const auto publish_all = [&] {
      for (std::uint64_t i = 0; i < count; ++i) tally.add(put(busy.publisher, i));
      done.count_down();
    };
    Subscription outer;
    Timer timer;
    if (in_timer) timer = busy.bus.after(Duration{0}, publish_all);
    else outer = busy.bus.subscribe(start, [&](const Message<Bytes>&) { publish_all(); }).value();
    if (!in_timer) CHECK(put(busy.starter, 0)->queued == 1);
    done.wait();
    CHECK(tally.queued == count);
    CHECK(tally.dropped + tally.refused + tally.deadlocks == 0);
    CHECK(busy.bus.drain(30s).complete);
    CHECK(busy.seen == count);
    check_conserved(busy.bus);
  }
}

TEST_CASE("P4 block on the only worker of a pool says would_deadlock at once") {
  Busy busy{1};
  Tally tally;
  std::latch done{1};
  auto outer = busy.bus.subscribe(start, [&](const Message<Bytes>&) {
    for (std::uint64_t i = 0; i < 3; ++i) tally.add(put(busy.publisher, i));
    done.count_down();
  }).value();
  CHECK(put(busy.starter, 0)->queued == 1);
  done.wait();
  CHECK(tally.queued == 1);
  CHECK(tally.dropped == 2);
  CHECK(tally.deadlocks == 2);
}

TEST_CASE("P4 a handler that publishes to the queue that it alone empties is told would_deadlock, however many workers idle") {
  Bus bus = Bus::open({.executor = pool_executor({.threads = 3}).value()}).value();
  auto publisher = bus.publisher(numbers).value();
  Tally tally;
  std::latch done{1};
  bool first = true;
  auto sub = bus.subscribe(numbers, [&](const Message<Bytes>&) {
    if (!std::exchange(first, false)) return;
    for (std::uint64_t i = 1; i < 4; ++i) tally.add(put(publisher, i));
    done.count_down();
  }, with({.messages = 1, .overflow = Overflow::block, .block_for = for_ever})).value();
  CHECK(put(publisher, 0)->queued == 1);
  done.wait();
  CHECK(tally.deadlocks == tally.dropped);
  CHECK(tally.dropped >= 2);
  CHECK(bus.drain(30s).complete);
  check_conserved(bus);
}

TEST_CASE("P4 handlers of all workers that publish on one Publisher do not wait for each other") {
  constexpr int count = 300;
  Busy busy{2};
  Tally tally;
  std::latch done{2};
  const auto publish_all = [&](const Message<Bytes>&) {
    for (std::uint64_t i = 0; i < count; ++i) tally.add(put(busy.publisher, i));
    done.count_down();
  };
  auto one = busy.bus.subscribe(start, publish_all).value();
  auto other = busy.bus.subscribe(start, publish_all).value();
  CHECK(put(busy.starter, 0)->queued == 2);
  done.wait();
  CHECK(tally.queued + tally.dropped + tally.refused == 2 * count);
  CHECK(tally.deadlocks == tally.dropped + tally.refused);
  CHECK(busy.bus.drain(30s).complete);
  CHECK(busy.seen == tally.queued);
  check_conserved(busy.bus);
}

TEST_CASE("P4 the only worker, asked to wait for a Publisher that waits for it, is told would_deadlock and makes the room") {
  Busy busy{1};
  Tally tally;
  std::latch entered{1}, done{1};
  auto outer = busy.bus.subscribe(start, [&](const Message<Bytes>&) {
    entered.count_down();
    // From where the other thread waits this one can only be refused; before, its message is taken or lost.
    Result<Published> mine{Published{}};
    do {
      mine = put(busy.publisher, 9);
      tally.add(mine);
    } while (mine);
    done.count_down();
  }).value();
  CHECK(put(busy.starter, 0)->queued == 1);
  entered.wait();
  std::thread user{[&] {
    for (std::uint64_t i = 0; i < 4; ++i) tally.add(put(busy.publisher, i));
  }};
  done.wait();
  user.join();
  CHECK(tally.refused == 1);
  CHECK(busy.bus.drain(30s).complete);
  CHECK(busy.seen == tally.queued);
  check_conserved(busy.bus);
}
