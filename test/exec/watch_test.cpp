#include <doctest/doctest.h>

#include <array>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

bool readable(int descriptor) {
  pollfd fd{descriptor, POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a watched descriptor runs its work once a poll, until it has been read") {
  const auto executor = manual_executor();
  const Bell bell;
  int runs = 0;
  Call work{[&] { ++runs; }};
  REQUIRE(executor->watch(bell.fd(), work));
  CHECK(executor->poll() == 0);
  bell.ring();
  CHECK(executor->poll() == 1);
  CHECK(executor->poll_one());
  CHECK(executor->drive(Instant{}) == 1);
  CHECK(runs == 3);
  bell.read();
  CHECK(executor->poll() == 0);
  CHECK(!executor->poll_one());
  CHECK(executor->drive(Instant{}) == 0);
  bell.ring();
  CHECK(executor->poll() == 1);
  executor->unwatch(bell.fd());
  CHECK(executor->poll() == 0);
  CHECK(runs == 4);
}

TEST_CASE("a pipe whose writer is gone counts as readable") {
  const auto executor = manual_executor();
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  int runs = 0;
  Call work{[&] { ++runs; }};
  REQUIRE(executor->watch(ends[0], work));
  CHECK(executor->poll() == 0);
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(executor->poll() == 1);
  char byte = 0;
  CHECK(read(ends[0], &byte, 1) == 1);
  CHECK(executor->poll() == 0);
  close(ends[1]);
  CHECK(executor->poll() == 1);
  executor->unwatch(ends[0]);
  close(ends[0]);
}

TEST_CASE("an epoll descriptor may be watched") {
  const auto executor = manual_executor();
  const Bell bell;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, bell.fd(), &event) == 0);
  Call work{[&] { bell.read(); }};
  REQUIRE(executor->watch(epoll, work));
  CHECK(executor->poll() == 0);
  bell.ring();
  CHECK(readable(executor->descriptor()));
  CHECK(executor->poll() == 1);
  CHECK(executor->poll() == 0);
  CHECK(!readable(executor->descriptor()));
  executor->unwatch(epoll);
  close(epoll);
}

TEST_CASE("the executor's descriptor is readable while a watched one is") {
  const auto executor = manual_executor();
  const Bell bell;
  Call watcher{[] {}}, work{[] {}};
  int descriptor = -1;
  SUBCASE("asked for before") {
    descriptor = executor->descriptor();
    REQUIRE(executor->watch(bell.fd(), watcher));
  }
  SUBCASE("asked for after") {
    REQUIRE(executor->watch(bell.fd(), watcher));
    descriptor = executor->descriptor();
  }
  CHECK(!readable(descriptor));
  bell.ring();
  CHECK(readable(descriptor));
  CHECK(executor->poll() == 1);
  CHECK(readable(descriptor));
  bell.read();
  CHECK(!readable(descriptor));
  executor->submit(work);
  CHECK(readable(descriptor));
  CHECK(executor->poll() == 1);
  CHECK(!readable(descriptor));
  bell.ring();
  executor->unwatch(bell.fd());
  CHECK(!readable(descriptor));
}

TEST_CASE("a descriptor asked for while something is watched is readable for what is ready already") {
  const auto executor = manual_executor();
  const Bell bell;
  Call watcher{[] {}}, work{[] {}};
  REQUIRE(executor->watch(bell.fd(), watcher));
  CHECK(executor->drive(steady_clock()->now() + Duration{1}) == 0);
  executor->submit(work);
  CHECK(readable(executor->descriptor()));
  CHECK(executor->poll() == 1);
  CHECK(!readable(executor->descriptor()));
}

TEST_CASE("poll leaves to the next one what a watching work submits, starts and makes readable") {
  const auto executor = manual_executor();
  const Bell bell, other;
  Call work{[] {}}, second{[&] { other.read(); }};
  Alarm alarm{[] {}};
  Call first{[&] {
    bell.read();
    other.ring();
    executor->submit(work);
    executor->start(alarm);
  }};
  REQUIRE(executor->watch(bell.fd(), first));
  REQUIRE(executor->watch(other.fd(), second));
  bell.ring();
  CHECK(executor->poll() == 1);
  CHECK(executor->poll() == 3);
  CHECK(executor->poll() == 0);
}

TEST_CASE("poll_one serves works and every watched descriptor, however busy each of them is") {
  const auto executor = manual_executor();
  std::array<Bell, 3> bells;
  std::array<int, 3> runs{};
  std::vector<std::unique_ptr<Call>> works;
  for (std::size_t i = 0; i < bells.size(); ++i) {
    works.push_back(std::make_unique<Call>([&runs, i] { ++runs[i]; }));
    REQUIRE(executor->watch(bells[i].fd(), *works.back()));
    bells[i].ring();
  }
  int submitted = 0;
  Call* self = nullptr;
  Call again{[&] {
    ++submitted;
    executor->submit(*self);
  }};
  self = &again;
  executor->submit(again);
  for (int i = 0; i < 24; ++i) CHECK(executor->poll_one());
  CHECK(submitted == 12);
  for (const int count : runs) CHECK(count == 4);
}

TEST_CASE("inside a watching work runs_here is true and nothing else runs") {
  const auto executor = manual_executor();
  const Bell bell;
  std::size_t inner = 99;
  bool inside = false;
  Call work{[&] {
    inside = executor->runs_here();
    inner = executor->poll() + executor->drive(Instant::never());
  }};
  REQUIRE(executor->watch(bell.fd(), work));
  bell.ring();
  CHECK(executor->poll() == 1);
  CHECK(inside);
  CHECK(inner == 0);
}

TEST_CASE("what can not be watched is refused") {
  const auto executor = manual_executor();
  const Bell bell;
  Call work{[] {}};
  CHECK(!executor->watch(-1, work));
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK(!executor->watch(file, work));
  close(file);
  CHECK(!executor->watch(executor->descriptor(), work));
  CHECK(executor->watch(bell.fd(), work));
  CHECK(!executor->watch(bell.fd(), work));
  executor->unwatch(bell.fd());
  executor->unwatch(bell.fd());
  CHECK(executor->watch(bell.fd(), work));
  CHECK(!pool(1)->watch(bell.fd(), work));
  CHECK(!inline_executor()->watch(bell.fd(), work));
}

TEST_CASE("after stop a watched descriptor runs nothing, does not show, and no other can be watched") {
  const auto executor = manual_executor();
  const Bell bell, other;
  Call work{[] { FAIL("it runs after stop"); }};
  REQUIRE(executor->watch(bell.fd(), work));
  const int descriptor = executor->descriptor();
  bell.ring();
  CHECK(executor->stop(soon()));
  CHECK(!readable(descriptor));
  CHECK(executor->poll() == 0);
  CHECK(executor->drive(Instant::never()) == 0);
  CHECK(!executor->watch(other.fd(), work));
  executor->unwatch(bell.fd());
}

// --- unwatch ----------------------------------------------------------------------------------------------------

TEST_CASE("unwatch inside the run returns at once, and the work may be freed by it") {
  const auto executor = manual_executor();
  const Bell bell;
  struct Last final : Work {
    Last(Executor& by, int watched, int& count) : executor{by}, fd{watched}, runs{count} {}
    void run() noexcept override {
      ++runs;
      executor.unwatch(fd);
      delete this;
    }
    Executor& executor;
    const int fd;
    int& runs;
  };
  int runs = 0;
  REQUIRE(executor->watch(bell.fd(), *new Last{*executor, bell.fd(), runs}));
  bell.ring();
  CHECK(executor->poll() == 1);
  CHECK(executor->poll() == 0);
  CHECK(runs == 1);
}

TEST_CASE("unwatch drops a run that waits behind another, also when the descriptor is watched anew") {
  const auto executor = manual_executor();
  const Bell one, two;
  int runs = 0, anew = 0;
  Call third{[&] { ++anew; }};
  std::unique_ptr<Call> first, second;
  const auto end = [&](const Bell& bell, std::unique_ptr<Call>& work) {
    ++runs;
    executor->unwatch(bell.fd());
    work.reset();
    CHECK(executor->watch(bell.fd(), third));
  };
  first = std::make_unique<Call>([&] { end(two, second); });
  second = std::make_unique<Call>([&] { end(one, first); });
  REQUIRE(executor->watch(one.fd(), *first));
  REQUIRE(executor->watch(two.fd(), *second));
  one.ring();
  two.ring();
  CHECK(executor->poll() == 1);
  CHECK(runs == 1);
  CHECK(anew == 0);
}

TEST_CASE("unwatch on another thread waits for the run") {
  const auto executor = manual_executor();
  const Bell bell;
  Event entered, unwatching;
  std::atomic<bool> ended{false}, stopped_first{false};
  Call work{[&] {
    entered.set();
    unwatching.wait();
    if (stopped_first) executor->stop(soon());
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // lets an unwatch that does not wait win
    ended = true;
  }};
  SUBCASE("of a watch that lasts") {}
  SUBCASE("of a watch that stop ended") { stopped_first = true; }
  REQUIRE(executor->watch(bell.fd(), work));
  bell.ring();
  std::thread other{[&] {
    entered.wait();
    unwatching.set();
    executor->unwatch(bell.fd());
    CHECK(ended);
  }};
  executor->drive(Instant{});
  other.join();
  CHECK(executor->poll() == 0);
}

TEST_CASE("unwatch inside another watching work does not wait for itself") {
  const auto executor = manual_executor();
  const Bell one, two;
  Call second{[] { FAIL("it was unwatched"); }};
  Call first{[&] {
    executor->unwatch(two.fd());
    executor->unwatch(one.fd());
  }};
  REQUIRE(executor->watch(one.fd(), first));
  REQUIRE(executor->watch(two.fd(), second));
  one.ring();
  CHECK(executor->poll() == 1);
  two.ring();
  CHECK(executor->poll() == 0);
}

TEST_CASE("a work is freed and its descriptor closed right after unwatch, while others drive") {
  const auto executor = manual_executor();
  std::atomic<bool> done{false};
  std::atomic<int> runs{0};
  std::thread watcher{[&] {
    for (int i = 0; i < 2000; ++i) {
      const Bell bell;
      Call work{[&] {
        ++runs;
        bell.ring();
      }};
      bell.ring();
      REQUIRE(executor->watch(bell.fd(), work));
      if (i % 4 == 0) {
        for (const int before = runs; runs == before;) std::this_thread::yield();
      }
      executor->unwatch(bell.fd());
    }
    finish(*executor, done);
  }};
  std::thread second{[&] { until(*executor, done); }};
  until(*executor, done);
  watcher.join();
  second.join();
  CHECK(runs >= 500);
}

TEST_CASE("an executor may be released inside a watching work") {
  auto executor = manual_executor();
  const Bell bell;
  int runs = 0;
  Call work{[&] {
    ++runs;
    executor->unwatch(bell.fd());
    executor.reset();
  }};
  REQUIRE(executor->watch(bell.fd(), work));
  bell.ring();
  ManualExecutor& raw = *executor;
  CHECK(raw.drive(Instant{}) == 1);
  CHECK(runs == 1);
}

// --- waiting ----------------------------------------------------------------------------------------------------
