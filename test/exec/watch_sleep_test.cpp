#include <doctest/doctest.h>

#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

/// Moves by itself, but not as the system's does: what an injected clock of the user's may be.
class OtherClock final : public Clock {
 public:
  Instant now() const noexcept override { return steady_clock()->now() + std::chrono::hours{1}; }
};

/// The system's, and how often it is asked.
class CountingClock final : public Clock {
 public:
  Instant now() const noexcept override { return ++asked, steady_clock()->now(); }
  bool is_system() const noexcept override { return true; }
  mutable std::atomic<int> asked{0};
};

}  // namespace

TEST_CASE("a driver that sleeps wakes for watched descriptors, works, timers and nudges of another thread") {
  std::shared_ptr<Clock> clock;
  bool handed_out = false;
  SUBCASE("over the system's clock") {}
  SUBCASE("over the system's clock, with the descriptor handed out") { handed_out = true; }
  SUBCASE("over another clock") { clock = std::make_shared<OtherClock>(); }
  SUBCASE("over a simulated clock") { clock = testing::manual_clock(); }
  const auto executor = manual_executor(clock);
  const Bell bell;
  std::atomic<Event*> ran{nullptr};
  Call watcher{[&] {
    bell.read();
    ran.load()->set();
  }};
  REQUIRE(executor->watch(bell.fd(), watcher));
  if (handed_out) CHECK(executor->descriptor() >= 0);
  std::atomic<bool> done{false};
  std::thread other{[&] {
    for (int i = 0; i < 2000; ++i) {
      Event event;
      ran = &event;
      Call work{[&] { event.set(); }};
      Alarm alarm{[&] { event.set(); }};
      alarm.due = Instant{1};
      if (i % 3 == 0) bell.ring();
      else if (i % 3 == 1) executor->submit(work);
      else executor->start(alarm);
      event.wait();
    }
    finish(*executor, done);
  }};
  while (!done) executor->drive(Instant::never());
  other.join();
  executor->unwatch(bell.fd());
}

TEST_CASE("a driver that sleeps sees what is watched meanwhile") {
  const auto executor = manual_executor();
  const Bell bell;
  bell.ring();
  std::atomic<bool> done{false};
  std::thread other{[&] {
    for (int i = 0; i < 1000; ++i) {
      Event ran;
      Call work{[&] {
        executor->unwatch(bell.fd());
        ran.set();
      }};
      CHECK(executor->watch(bell.fd(), work));
      ran.wait();
    }
    finish(*executor, done);
  }};
  while (!done) executor->drive(Instant::never());
  other.join();
}

TEST_CASE("a driver that sleeps on descriptors keeps its deadline and its timers") {
  const auto clock = steady_clock();
  const auto executor = manual_executor();
  const Bell bell;
  Call watcher{[] {}};
  int fired = 0;
  Alarm alarm{[&] { ++fired; }};
  REQUIRE(executor->watch(bell.fd(), watcher));
  SUBCASE("alone") {}
  SUBCASE("with the descriptor handed out") { CHECK(executor->descriptor() >= 0); }
  const Instant until = clock->now() + std::chrono::milliseconds{3};
  while (clock->now() < until) CHECK(executor->drive(until) == 0);
  alarm.due = clock->now() + std::chrono::milliseconds{2};
  executor->start(alarm);
  while (fired == 0) executor->drive(Instant::never());
  CHECK(clock->now() >= alarm.due);
}

TEST_CASE("run_for wakes for a watched descriptor, also after a timer has fired, and ends with stop") {
  const auto executor = manual_executor();
  const Bell bell;
  Event fired;
  Alarm alarm{[&] { fired.set(); }};
  Call watcher{[&] {
    bell.read();
    executor->stop(soon());
  }};
  REQUIRE(executor->watch(bell.fd(), watcher));
  SUBCASE("alone") {}
  SUBCASE("with the descriptor handed out") { CHECK(executor->descriptor() >= 0); }
  alarm.due = steady_clock()->now() + std::chrono::milliseconds{1};
  executor->start(alarm);
  std::thread other{[&] {
    fired.wait();
    bell.ring();
  }};
  CHECK(executor->run_for(std::chrono::hours{1}) == 2);
  other.join();
}

TEST_CASE("a driver that sleeps on descriptors stays asleep after a work has run and a timer has fired") {
  const auto clock = std::make_shared<CountingClock>();
  const auto executor = manual_executor(clock);
  const Bell bell;
  Call watcher{[] {}}, work{[] {}};
  Alarm alarm{[] {}};
  REQUIRE(executor->watch(bell.fd(), watcher));
  CHECK(executor->descriptor() >= 0);
  std::size_t expected = 1;
  SUBCASE("a work") { executor->submit(work); }
  SUBCASE("a timer") {
    alarm.due = clock->now() + std::chrono::milliseconds{1};
    executor->start(alarm);
  }
  SUBCASE("a cancelled timer") {
    alarm.due = clock->now() + std::chrono::milliseconds{1};
    executor->start(alarm);
    CHECK(executor->cancel(alarm));
    expected = 0;
  }
  clock->asked = 0;
  CHECK(executor->run_for(std::chrono::milliseconds{5}) == expected);
  CHECK(clock->asked < 100);
}

TEST_CASE("stop ends a drive that sleeps on descriptors") {
  const auto executor = manual_executor();
  const Bell bell;
  Call work{[] {}};
  REQUIRE(executor->watch(bell.fd(), work));
  Event driving;
  std::thread driver{[&] {
    driving.set();
    executor->drive(Instant::never());
  }};
  driving.wait();
  CHECK(executor->stop(soon()));
  driver.join();
}

TEST_CASE("drive over a simulated clock looks at watched descriptors before it moves the clock") {
  const auto clock = testing::manual_clock();
  const auto executor = manual_executor(clock);
  const Bell bell;
  int runs = 0;
  Instant ran_at = Instant::never();
  Call work{[&] {
    ran_at = clock->now();
    if (++runs == 3) bell.read();
  }};
  int fired = 0;
  Alarm alarm{[&] { ++fired; }};
  alarm.due = clock->now() + std::chrono::hours{1};
  executor->start(alarm);
  REQUIRE(executor->watch(bell.fd(), work));
  bell.ring();
  for (int i = 1; i <= 3; ++i) CHECK(executor->drive(Instant::never()) == 1);
  CHECK(runs == 3);
  CHECK(fired == 0);
  CHECK(ran_at == Instant{});
  CHECK(executor->drive(Instant::never()) == 1);
  CHECK(fired == 1);
  CHECK(clock->now() == alarm.due);
}
