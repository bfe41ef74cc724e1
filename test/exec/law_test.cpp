#include <doctest/doctest.h>

#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

template <class Check>
void for_each_executor(Check check) {
  SUBCASE("pool of one") { check(pool(1)); }
  SUBCASE("pool of four") { check(pool(4)); }
  SUBCASE("pool that yields") { check(pool(2, Wait::yield)); }
  SUBCASE("inline") { check(inline_executor()); }
  SUBCASE("manual") { check(std::shared_ptr<Executor>{manual_executor()}); }
}

}  // namespace

TEST_CASE("each submit of many threads runs exactly once") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    constexpr int threads = 4, each = 5000;
    std::atomic<int> ran{0};
    std::atomic<bool> done{false};
    std::vector<std::unique_ptr<Call>> works;
    std::vector<int> counts(threads * each, 0);
    for (int i = 0; i < threads * each; ++i)
      works.push_back(std::make_unique<Call>([&, i] {
        ++counts[static_cast<std::size_t>(i)];
        if (ran.fetch_add(1) + 1 == threads * each) finish(*executor, done);
      }));
    std::vector<std::thread> submitters;
    for (int t = 0; t < threads; ++t)
      submitters.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) executor->submit(*works[static_cast<std::size_t>(t * each + i)]);
      });
    until(*executor, done);
    for (auto& submitter : submitters) submitter.join();
    CHECK(executor->stop(soon()));
    for (const int count : counts) CHECK(count == 1);
  });
}

TEST_CASE("a work may be submitted again as soon as its run has begun") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    std::atomic<bool> done{false};
    int runs = 0;
    Call* self = nullptr;
    Call work{[&] {
      if (++runs < 10'000) executor->submit(*self);
      else finish(*executor, done);
    }};
    self = &work;
    executor->submit(work);
    until(*executor, done);
    CHECK(executor->stop(soon()));
    CHECK(runs == 10'000);
  });
}

TEST_CASE("runs_here is true inside works and timers, also below another executor's work, and nowhere else") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    const auto nested = inline_executor();
    std::atomic<bool> done{false};
    std::atomic<int> inside{0};
    Call below{[&] { inside += executor->runs_here() && nested->runs_here(); }};
    Alarm alarm{[&] {
      inside += executor->runs_here();
      finish(*executor, done);
    }};
    Call work{[&] {
      inside += executor->runs_here() && !nested->runs_here();
      nested->submit(below);
      executor->start(alarm);
    }};
    CHECK(!executor->runs_here());
    executor->submit(work);
    until(*executor, done);
    CHECK(executor->stop(soon()));
    CHECK(inside == 3);
    CHECK(!executor->runs_here());
  });
}

TEST_CASE("a timer fires at or after its instant, unless a cancel said true") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    const auto clock = steady_clock();
    std::atomic<bool> done{false};
    std::atomic<bool> cancelled_fired{false};
    Instant fired;
    Alarm late{[&] { cancelled_fired = true; }};
    Alarm alarm{[&] {
      fired = clock->now();
      finish(*executor, done);
    }};
    late.due = clock->now() + std::chrono::hours{1};
    alarm.due = clock->now() + std::chrono::milliseconds{2};
    CHECK(!executor->cancel(alarm));
    executor->start(late);
    executor->start(alarm);
    until(*executor, done);
    CHECK(fired >= alarm.due);
    CHECK(!executor->cancel(alarm));
    CHECK(executor->cancel(late));
    CHECK(!executor->cancel(late));
    CHECK(executor->stop(soon()));
    CHECK(!cancelled_fired);
  });
}

TEST_CASE("of a race between cancel and fire exactly one wins") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    for (int round = 0; round < 300; ++round) {
      std::atomic<bool> done{false};
      std::atomic<int> fired{0};
      Alarm alarm{[&] { ++fired; }};
      alarm.due = steady_clock()->now() + std::chrono::microseconds{20};
      executor->start(alarm);
      std::thread canceller{[&] {
        if (executor->cancel(alarm)) ++fired;
        finish(*executor, done);
      }};
      until(*executor, done);
      canceller.join();
      std::atomic<bool> flushed{false};
      Alarm flush{[&] { finish(*executor, flushed); }};
      flush.due = alarm.due + Duration{1};
      executor->start(flush);
      until(*executor, flushed);
      if (executor->is_inline() || executor->is_driven()) CHECK(fired == 1);
      else while (fired.load() == 0) std::this_thread::yield();
      CHECK(fired == 1);
    }
    CHECK(executor->stop(soon()));
  });
}

TEST_CASE("after stop nothing runs, and stop may be called again") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    std::atomic<int> ran{0};
    Call work{[&] { ++ran; }};
    Alarm alarm{[&] { ++ran; }};
    executor->start(alarm);
    executor->stop(soon());
    const int before = ran;
    executor->submit(work);
    executor->start(alarm);
    executor->drive(Instant{});
    CHECK(executor->stop(soon()));
    CHECK(ran == before);
    CHECK(!executor->cancel(alarm));
  });
}

TEST_CASE("stop inside a work returns and lets that work end") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    std::atomic<bool> done{false};
    std::atomic<bool> stopped{false};
    Call work{[&] {
      stopped = executor->stop(soon());
      finish(*executor, done);
    }};
    executor->submit(work);
    until(*executor, done);
    CHECK(stopped);
    CHECK(executor->stop(soon()));
  });
}

TEST_CASE("an executor may be released inside its own work") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    Event submitted, over;
    const bool elsewhere = !executor->is_inline() && !executor->is_driven();
    Call work{[&] {
      if (elsewhere) submitted.wait();
      executor.reset();
      over.set();
    }};
    Executor& raw = *executor;
    raw.submit(work);
    if (elsewhere) submitted.set();
    else if (executor) raw.drive(Instant{});
    over.wait();
    CHECK(!executor);
  });
}

TEST_CASE("stop answers false while a work still runs at its deadline") {
  for_each_executor([](std::shared_ptr<Executor> executor) {
    Event entered, leave;
    Call work{[&] {
      entered.set();
      leave.wait();
    }};
    std::thread runner{[&] {
      executor->submit(work);
      executor->drive(Instant{});
    }};
    entered.wait();
    CHECK(!executor->stop(steady_clock()->now() + std::chrono::milliseconds{1}));
    leave.set();
    CHECK(executor->stop(soon()));
    runner.join();
  });
}
