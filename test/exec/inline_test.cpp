#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <pthread.h>

#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("an inline submit runs before it returns, on the calling thread") {
  const auto executor = inline_executor();
  std::thread::id ran;
  Call work{[&] { ran = std::this_thread::get_id(); }};
  executor->submit(work);
  CHECK(ran == std::this_thread::get_id());
}

TEST_CASE("works submitted inside a work run after it, in order, and never nest") {
  const auto executor = inline_executor();
  std::vector<int> order;
  int depth = 0, deepest = 0;
  std::vector<std::unique_ptr<Call>> works;
  for (int i = 0; i < 100; ++i)
    works.push_back(std::make_unique<Call>([&, i] {
      deepest = std::max(deepest, ++depth);
      order.push_back(i);
      if (i < 33)
        for (int k = 1; k <= 3; ++k) executor->submit(*works[static_cast<std::size_t>(3 * i + k)]);
      --depth;
    }));
  executor->submit(*works[0]);
  CHECK(deepest == 1);
  CHECK(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("two inline executors that submit to each other do not nest either") {
  const auto a = inline_executor(), b = inline_executor();
  int depth = 0, deepest = 0, rounds = 0;
  Call *on_a = nullptr, *on_b = nullptr;
  Call first{[&] {
    deepest = std::max(deepest, ++depth);
    if (++rounds < 100) b->submit(*on_b);
    --depth;
  }};
  Call second{[&] { a->submit(*on_a); }};
  on_a = &first;
  on_b = &second;
  a->submit(first);
  CHECK(deepest == 1);
  CHECK(rounds == 100);
}

TEST_CASE("the timers of an inline executor run on a thread with asynchronous signals blocked") {
  const auto executor = inline_executor();
  Event fired;
  sigset_t blocked;
  std::thread::id ran;
  Call queued{[&] { fired.set(); }};
  Alarm alarm{[&] {
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    ran = std::this_thread::get_id();
    executor->submit(queued);
  }};
  executor->start(alarm);
  fired.wait();
  CHECK(ran != std::this_thread::get_id());
  CHECK(sigismember(&blocked, SIGTERM) == 1);
  CHECK(executor->stop(soon()));
}

TEST_CASE("without a thread for them due timers run on the next submitter") {
  pthread_attr_t saved, huge;
  REQUIRE(pthread_getattr_default_np(&saved) == 0);
  pthread_attr_init(&huge);
  REQUIRE(pthread_attr_setstacksize(&huge, std::size_t{1} << 47) == 0);
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  const auto executor = inline_executor();
  bool fired = false;
  Alarm alarm{[&] { fired = true; }};
  Call work{[] {}};
  executor->start(alarm);
  pthread_setattr_default_np(&saved);
  CHECK(!fired);
  executor->submit(work);
  CHECK(fired);
}
