#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>

#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

bool readable(int descriptor, int timeout_ms = 0) {
  pollfd fd{descriptor, POLLIN, 0};
  return poll(&fd, 1, timeout_ms) == 1;
}

}  // namespace

TEST_CASE("poll runs what is ready, in order, and leaves what that submits to the next poll") {
  const auto executor = manual_executor();
  std::vector<int> order;
  Call third{[&] { order.push_back(3); }};
  Call first{[&] {
    order.push_back(1);
    executor->submit(third);
  }};
  Call second{[&] { order.push_back(2); }};
  executor->submit(first);
  executor->submit(second);
  CHECK(executor->poll() == 2);
  CHECK(order == std::vector{1, 2});
  CHECK(executor->poll() == 1);
  CHECK(executor->poll() == 0);
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("poll_one runs one work, and poll the rest before what came later") {
  const auto executor = manual_executor();
  std::vector<int> order;
  Call a{[&] { order.push_back(1); }}, b{[&] { order.push_back(2); }}, c{[&] { order.push_back(3); }};
  executor->submit(a);
  executor->submit(b);
  CHECK(executor->poll_one());
  executor->submit(c);
  CHECK(executor->poll() == 2);
  CHECK(!executor->poll_one());
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("a timer that starts itself again for now fires once a poll") {
  const auto clock = testing::manual_clock();
  const auto executor = manual_executor(clock);
  int fired = 0;
  Alarm* self = nullptr;
  Alarm alarm{[&] {
    ++fired;
    executor->start(*self);
  }};
  self = &alarm;
  executor->start(alarm);
  CHECK(executor->poll() == 1);
  CHECK(executor->poll() == 1);
  CHECK(fired == 2);
  CHECK(executor->cancel(alarm));
}

TEST_CASE("inside a work poll and drive run nothing") {
  const auto executor = manual_executor();
  std::size_t inner = 99;
  Call other{[] {}};
  Call work{[&] {
    executor->submit(other);
    inner = executor->poll() + executor->drive(Instant::never()) + executor->run_for(std::chrono::hours{1});
  }};
  executor->submit(work);
  CHECK(executor->poll() == 1);
  CHECK(inner == 0);
  CHECK(executor->poll() == 1);
}

TEST_CASE("the descriptor is readable exactly while something is ready") {
  const auto executor = manual_executor();
  const int descriptor = executor->descriptor();
  REQUIRE(descriptor >= 0);
  CHECK(executor->descriptor() == descriptor);
  CHECK((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(!readable(descriptor));
  Call again{[] {}};
  Call work{[&] { executor->submit(again); }};
  executor->submit(work);
  CHECK(readable(descriptor));
  CHECK(readable(descriptor));
  CHECK(executor->poll() == 1);
  CHECK(readable(descriptor));
  CHECK(executor->poll() == 1);
  CHECK(!readable(descriptor));
  executor->submit(work);
  executor->poll_one();
  CHECK(readable(descriptor));
  executor->poll_one();
  CHECK(!readable(descriptor));
}

TEST_CASE("a descriptor asked for late is readable for what is ready already") {
  const auto executor = manual_executor();
  Call a{[] {}}, b{[] {}};
  executor->submit(a);
  executor->submit(b);
  executor->poll_one();
  const int descriptor = executor->descriptor();
  CHECK(readable(descriptor));
  executor->poll();
  CHECK(!readable(descriptor));
}

TEST_CASE("the descriptor becomes readable when a timer is due, and quiet when it has fired") {
  const auto executor = manual_executor();
  const int descriptor = executor->descriptor();
  int fired = 0;
  Alarm alarm{[&] { ++fired; }}, late{[&] { ++fired; }};
  late.due = steady_clock()->now() + std::chrono::hours{1};
  alarm.due = steady_clock()->now() + std::chrono::milliseconds{2};
  executor->start(late);
  CHECK(!readable(descriptor));
  executor->start(alarm);
  CHECK(executor->next_due() == alarm.due);
  CHECK(readable(descriptor, 30'000));
  CHECK(executor->poll() == 1);
  CHECK(!readable(descriptor));
  CHECK(executor->cancel(late));
  CHECK(executor->next_due() == Instant::never());
}

TEST_CASE("over a simulated clock the descriptor is readable for a timer that is due") {
  const auto clock = testing::manual_clock();
  const auto executor = manual_executor(clock);
  const int descriptor = executor->descriptor();
  int fired = 0;
  Alarm now{[&] { ++fired; }}, later{[&] { ++fired; }};
  later.due = clock->now() + std::chrono::seconds{1};
  executor->start(later);
  CHECK(!readable(descriptor));
  executor->start(now);
  CHECK(readable(descriptor));
  CHECK(executor->poll() == 1);
  CHECK(!readable(descriptor));
  clock->advance(std::chrono::seconds{1});
  CHECK(executor->poll() == 1);
  CHECK(fired == 2);
}

TEST_CASE("drive over a simulated clock jumps to the next timer, then to its own deadline, and never waits") {
  const auto clock = testing::manual_clock();
  const auto executor = manual_executor(clock);
  int fired = 0;
  Alarm alarm{[&] { ++fired; }};
  alarm.due = clock->now() + std::chrono::hours{1};
  executor->start(alarm);
  const Instant until = clock->now() + std::chrono::hours{2};
  CHECK(executor->drive(until) == 1);
  CHECK(clock->now() == alarm.due);
  CHECK(executor->drive(until) == 0);
  CHECK(clock->now() == until);
  CHECK(executor->drive(Instant{}) == 0);
}

TEST_CASE("run_for over a simulated clock leaves the clock alone") {
  const auto clock = testing::manual_clock();
  const auto executor = manual_executor(clock);
  Alarm alarm{[] {}};
  alarm.due = clock->now() + std::chrono::seconds{1};
  executor->start(alarm);
  CHECK(executor->run_for(std::chrono::seconds{5}) == 0);
  CHECK(clock->now() == Instant{});
  CHECK(testing::run_through(*executor, *clock, std::chrono::seconds{5}) == 1);
  CHECK(clock->now() == Instant{} + std::chrono::seconds{5});
}

TEST_CASE("run_for over the system's clock runs until its end") {
  const auto executor = manual_executor();
  int fired = 0;
  Alarm alarm{[&] { ++fired; }};
  alarm.due = steady_clock()->now() + std::chrono::milliseconds{1};
  executor->start(alarm);
  const Instant until = steady_clock()->now() + std::chrono::milliseconds{3};
  CHECK(executor->run_for(std::chrono::milliseconds{3}) == 1);
  CHECK(steady_clock()->now() >= until);
}

TEST_CASE("every one of several drivers sees the nudge meant for it") {
  for (int round = 0; round < 100; ++round) {
    const auto executor = manual_executor();
    std::vector<std::atomic<bool>> done(3);
    std::vector<std::thread> drivers;
    for (auto& mine : done)
      drivers.emplace_back([&] {
        while (!mine.load()) executor->drive(Instant::never());
      });
    for (auto& one : done) {
      one.store(true);
      executor->nudge();
    }
    for (auto& driver : drivers) driver.join();
  }
}

TEST_CASE("a sleeping driver wakes for each submit and each earlier timer of another thread") {
  const auto executor = manual_executor();
  std::atomic<bool> done{false};
  std::thread other{[&] {
    for (int i = 0; i < 2000; ++i) {
      Event ran;
      Call work{[&] { ran.set(); }};
      Alarm alarm{[&] { ran.set(); }};
      if (i % 2) executor->submit(work);
      else executor->start(alarm);
      ran.wait();
    }
    finish(*executor, done);
  }};
  until(*executor, done);
  other.join();
}

TEST_CASE("stop ends a drive that waits") {
  const auto executor = manual_executor();
  Event driving;
  std::thread driver{[&] {
    driving.set();
    executor->drive(Instant::never());
  }};
  driving.wait();
  CHECK(executor->stop(soon()));
  driver.join();
}
