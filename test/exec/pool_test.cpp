#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <dirent.h>
#include <latch>
#include <pthread.h>
#include <string>

#include <midplane/testing/manual_clock.hpp>

#include "exec/running.hpp"
#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

std::size_t threads_of_this_process() {
  DIR* const directory = opendir("/proc/self/task");
  std::size_t count = 0;
  while (const dirent* const entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

/// A pool of two that has no threads: what its workers would do, the test does.
struct Pretended final : Executor {
  void submit(Work&) noexcept override {}
  void start(TimerWork&) noexcept override {}
  bool cancel(TimerWork&) noexcept override { return false; }
  bool runs_here() const noexcept override { return exec::Running::of(this); }
  bool may_wait_here() const noexcept override {
    if (asked) asked();
    return exec::Running::of(this)->may_wait();
  }
  bool stop(Instant) noexcept override { return true; }
  exec::Waiters waiters{2};
  std::function<void()> asked;
};

}  // namespace

TEST_CASE("a pool of one runs the works of one thread in their order") {
  const auto executor = pool(1);
  std::vector<int> order;
  std::vector<std::unique_ptr<Call>> works;
  Event done;
  for (int i = 0; i < 1000; ++i) works.push_back(std::make_unique<Call>([&order, i] { order.push_back(i); }));
  Call last{[&] { done.set(); }};
  for (auto& work : works) executor->submit(*work);
  executor->submit(last);
  done.wait();
  CHECK(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a blocked worker keeps no other work from running") {
  const auto executor = pool(3);
  std::latch all{3};
  std::vector<std::unique_ptr<Call>> works;
  std::latch ended{3};
  for (int i = 0; i < 3; ++i)
    works.push_back(std::make_unique<Call>([&] {
      all.arrive_and_wait();
      ended.count_down();
    }));
  for (auto& work : works) executor->submit(*work);
  ended.wait();
}

TEST_CASE("works submitted one at a time are never lost between searching and sleeping") {
  for (const Wait wait : {Wait::sleep, Wait::yield}) {
    const auto executor = pool(3, wait);
    for (int i = 0; i < 3000; ++i) {
      Event ran;
      Call work{[&] { ran.set(); }};
      executor->submit(work);
      ran.wait();
    }
    CHECK(executor->stop(soon()));
  }
}

TEST_CASE("a worker may wait while another one does not wait, and the last one may not") {
  const auto executor = pool(2);
  CHECK(!executor->may_wait_here());
  Event second_asked, first_waits, second_tried, first_waited, over;
  bool before = false, meanwhile = true, afterwards = false, first = false;
  Call other{[&] {
    before = executor->may_wait_here();  // the first one is inside a run that will end
    second_asked.set();
    first_waits.wait();
    meanwhile = static_cast<bool>(exec::Waiting{executor.get()});
    second_tried.set();
    first_waited.wait();
    afterwards = static_cast<bool>(exec::Waiting{executor.get()});
    over.set();
  }};
  Call asking{[&] {
    executor->submit(other);
    second_asked.wait();
    {
      const exec::Waiting waiting{executor.get()};
      first = static_cast<bool>(waiting);
      first_waits.set();
      second_tried.wait();
    }
    first_waited.set();
  }};
  executor->submit(asking);
  over.wait();
  CHECK(before);
  CHECK(first);
  CHECK(!meanwhile);
  CHECK(afterwards);
}

TEST_CASE("a worker that waits for another executor's works does not count on itself either, and counts once") {
  for (const std::size_t workers : {2, 3}) {
    const auto executor = pool(workers);
    const auto elsewhere = pool(1);
    Event asked, over;
    bool second = workers == 2;
    Call other{[&] {
      second = executor->may_wait_here();
      asked.set();
    }};
    Call asking{[&] {
      {
        const exec::Waiting waiting{elsewhere.get()};
        const exec::Waiting within{elsewhere.get()};
        executor->submit(other);
        asked.wait();
      }
      over.set();
    }};
    executor->submit(asking);
    over.wait();
    CHECK(second == (workers == 3));
  }
}

TEST_CASE("the last worker counts while it waits for another executor's works, and may not wait for its own pool") {
  Pretended executor;
  REQUIRE(executor.waiters.begin());
  const exec::Running run{&executor, &executor.waiters};
  {
    const exec::Waiting waiting{nullptr};
    CHECK(static_cast<bool>(waiting));
    CHECK(!exec::Waiting{&executor});
    executor.waiters.end();  // the other one is back ...
    CHECK(!executor.waiters.may_begin());
    CHECK(static_cast<bool>(exec::Waiting{&executor}));
  }
  CHECK(executor.waiters.may_begin());
}

TEST_CASE("a wait that was refused stays refused when another worker's wait ends at that moment, and does not count") {
  Pretended executor;
  REQUIRE(executor.waiters.begin());
  const exec::Running run{&executor, &executor.waiters};
  executor.asked = [&] { executor.waiters.end(); };
  const exec::Waiting waiting{&executor};
  CHECK(!waiting);
  CHECK(executor.waiters.begin());
}

TEST_CASE("a timer fires while another worker is blocked in a timer") {
  const auto executor = pool(2);
  Event fired, over;
  Alarm second{[&] { fired.set(); }};
  Alarm first{[&] {
    fired.wait();
    over.set();
  }};
  first.due = steady_clock()->now() + std::chrono::milliseconds{1};
  second.due = first.due + std::chrono::milliseconds{1};
  executor->start(first);
  executor->start(second);
  over.wait();
}

TEST_CASE("two works that stop the same pool do not wait for each other") {
  const auto executor = pool(2);
  std::latch both{2};
  std::latch ended{2};
  std::atomic<int> yes{0};
  const auto body = [&] {
    both.arrive_and_wait();
    yes += executor->stop(soon());
    ended.count_down();
  };
  Call a{body}, b{body};
  executor->submit(a);
  executor->submit(b);
  ended.wait();
  CHECK(yes == 2);
}

TEST_CASE("workers are named, block asynchronous signals, and call thread_started first") {
  std::atomic<int> started{0};
  auto options = PoolOptions{};
  options.threads = 2;
  options.thread_started = [&](std::size_t index) { started += static_cast<int>(index) + 1; };
  const auto executor = pool_executor(std::move(options)).value();
  Event ran;
  char name[16] = {};
  sigset_t blocked;
  sigemptyset(&blocked);
  Call work{[&] {
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    ran.set();
  }};
  executor->submit(work);
  ran.wait();
  CHECK(executor->stop(soon()));
  CHECK(started == 3);
  CHECK(std::string{name}.starts_with("midplane/"));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE})
    CHECK(sigismember(&blocked, signal));
  CHECK(!sigismember(&blocked, SIGSEGV));
}

TEST_CASE("no thread stays after a stop") {
  const std::size_t before = threads_of_this_process();
  const auto executor = pool(8);
  CHECK(threads_of_this_process() >= before + 8);
  CHECK(executor->stop(soon()));
  CHECK(threads_of_this_process() == before);
}

TEST_CASE("a pool that gets no thread answers transport_failed with the system's reason") {
  // A stack that fits no address space: what the system answers when it has nothing left, for this process alone.
  pthread_attr_t saved, huge;
  REQUIRE(pthread_getattr_default_np(&saved) == 0);
  pthread_attr_init(&huge);
  REQUIRE(pthread_attr_setstacksize(&huge, std::size_t{1} << 47) == 0);
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  auto options = PoolOptions{};
  options.threads = 2;
  const auto executor = pool_executor(std::move(options));
  pthread_setattr_default_np(&saved);
  REQUIRE(!executor);
  CHECK(executor.error().code() == ErrorCode::transport_failed);
  CHECK(!executor.error().detail().empty());
}

TEST_CASE("a pool over a simulated clock fires when the clock is moved") {
  const auto clock = testing::manual_clock();
  auto options = PoolOptions{};
  options.threads = 2;
  options.clock = clock;
  const auto executor = pool_executor(std::move(options)).value();
  Event fired;
  Alarm alarm{[&] { fired.set(); }};
  alarm.due = clock->now() + std::chrono::hours{10};
  executor->start(alarm);
  clock->advance(std::chrono::hours{10});
  fired.wait();
}

TEST_CASE("a pool of too many threads is an invalid option") {
  auto options = PoolOptions{};
  options.threads = 100'000;
  const auto executor = pool_executor(std::move(options));
  REQUIRE(!executor);
  CHECK(executor.error().code() == ErrorCode::invalid_option);
}
