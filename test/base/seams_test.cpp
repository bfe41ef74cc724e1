#include <doctest/doctest.h>

#include <unistd.h>

#include <array>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/event_sink.hpp>
#include <midplane/extend/log_sink.hpp>
#include <midplane/extend/random.hpp>
#include <midplane/result.hpp>
#include <midplane/testing/manual_clock.hpp>

#include "base/line_log.hpp"

using namespace midplane;

TEST_CASE("the steady clock never goes backwards and does not let itself be moved") {
  const auto clock = steady_clock();
  const Instant before = clock->now();
  CHECK(clock->is_system());
  CHECK(!clock->advance_to(Instant::never()));
  CHECK(clock->now() >= before);
}

TEST_CASE("a log line has time, level, code, what happened, what to do and the fields, and no more bytes than it may") {
  const std::vector<LogField> fields{{"peer", "db1"}, {"topic", "a.b"}};
  LogRecord record{LogLevel::warning, "link.peer_lost", "a link ended", "it is dialled again", fields};
  const std::chrono::milliseconds when{1'795'299'053'007};
  CHECK(base::log_line(record, when) ==
        "2026-11-21T22:10:53.007Z warning link.peer_lost: a link ended; it is dialled again (peer=db1 topic=a.b)\n");
  record.action = {};
  record.fields = {};
  CHECK(base::log_line(record, when) == "2026-11-21T22:10:53.007Z warning link.peer_lost: a link ended\n");
  const std::string longest(base::log_line_bytes_max, 'x');
  record.message = longest;
  const std::string cut = base::log_line(record, when);
  CHECK(cut.size() == base::log_line_bytes_max);
  CHECK(cut.ends_with("xxx...\n"));
}

TEST_CASE("the log on standard error writes whole lines from its level on") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  const auto log = stderr_log();
  log->log({LogLevel::info, "bus.info", "not for here", {}, {}});
  log->log({LogLevel::warning, "bus.warning", "first", {}, {}});
  log->log({LogLevel::error, "bus.error", "second", {}, {}});
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  ::close(ends[1]);
  std::string read(1000, '\0');
  read.resize(static_cast<std::size_t>(::read(ends[0], read.data(), read.size())));
  ::close(ends[0]);
  CHECK(read.find("info") == std::string::npos);
  CHECK(read.find("Z warning bus.warning: first\n") != std::string::npos);
  CHECK(read.ends_with("Z error bus.error: second\n"));
}

TEST_CASE("every error message begins with its code, and shows detail and app code behind the text") {
  std::set<std::string_view> names;
  for (int number = 1; number <= static_cast<int>(last_error_code); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    CHECK(name_of(code) != "unknown");
    CHECK(names.insert(name_of(code)).second);
    CHECK(Error{code, "text"}.message() == std::string{name_of(code)} + ": text");
  }
  CHECK(Error{ErrorCode::app_error, "text"}.with("why").with_app_code(7).message() == "app_error: text [7] (why)");
}

TEST_CASE("a manual clock moves forwards only") {
  const auto clock = testing::manual_clock({5});
  clock->advance(Duration{10});
  CHECK(clock->now() == Instant{15});
  CHECK(clock->advance_to({3}));
  clock->advance(Duration{-10});
  CHECK(clock->now() == Instant{15});
}

TEST_CASE("the same seed gives SplitMix64's sequence") {
  const auto random = seeded_random(1234567);
  CHECK(random->next() == 6457827717110365317u);
  CHECK(random->next() == 3203168211198807973u);
  CHECK(random->next() == 9817491932198370423u);
}

TEST_CASE("threads that share a seeded source draw different numbers, all of its sequence") {
  const auto shared = seeded_random(7), alone = seeded_random(7);
  std::vector<std::vector<std::uint64_t>> drawn(4, std::vector<std::uint64_t>(500));
  std::vector<std::thread> threads;
  for (auto& mine : drawn)
    threads.emplace_back([&] {
      for (auto& number : mine) number = shared->next();
    });
  for (auto& thread : threads) thread.join();
  std::set<std::uint64_t> expected, got;
  for (int i = 0; i < 2000; ++i) expected.insert(alone->next());
  for (const auto& mine : drawn) got.insert(mine.begin(), mine.end());
  CHECK(got == expected);
}

TEST_CASE("the system's randomness does not repeat") {
  const auto a = system_random(), b = system_random();
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 100; ++i) numbers.insert({a->next(), b->next()});
  CHECK(numbers.size() == 200);
}

TEST_CASE("levels and kinds of events have names") {
  CHECK(name_of(LogLevel::debug) == "debug");
  CHECK(name_of(LogLevel::error) == "error");
  CHECK(name_of(EventKind::peer_up) == "peer_up");
  CHECK(name_of(EventKind::closed) == "closed");
}
