/// What a coroutine gets from an Inbox: what waits and what comes, once each, and the end.
#include "promises_requests/support.hpp"

#include <algorithm>

using namespace midplane;
using namespace midplane::test;

namespace {

constexpr Topic<Bytes> news{"news"};

SubscribeOptions with(Queue queue) {
  SubscribeOptions options;
  options.queue = queue;
  return options;
}

/// Reads until the Inbox has ended; what it read, and how it ended.
struct Reader {
  explicit Reader(Inbox<Bytes>& inbox) : task{read(inbox)} { task.start(); }
  std::string got;
  int ended = -1;
  Task<int> task;

 private:
  Task<int> read(Inbox<Bytes>& inbox) {
    while (true) {
      auto item = co_await inbox.next();
      if (!item) co_return ended = code(item);
      got += text(std::get<Message<Bytes>>(*item));
    }
  }
};

/// Reads one.
Task<int> read_one(Inbox<Bytes>& inbox, std::string& got) {
  auto item = co_await inbox.next();
  if (!item) co_return code(item);
  got = text(std::get<Message<Bytes>>(*item));
  co_return 0;
}

template <class P>
Result<Published> say(P& publisher, std::string_view what) {
  return publisher.publish(bytes(what));
}

void check_conserved(const SinkStats& sink) {
  CHECK(sink.offered == sink.delivered + sink.dropped.total() + sink.waiting);
  CHECK(sink.in_transit == 0);
}

}  // namespace

TEST_CASE("a coroutine gets what waited in its Inbox and then what comes, on the bus's executor") {
  World world;
  auto inbox = world.bus.inbox(news).value();
  auto publisher = world.bus.publisher(news).value();
  for (const char* one : {"a", "b", "c"}) CHECK(say(publisher, one)->queued == 1);
  Reader reader{inbox};
  CHECK(reader.got.empty());
  world.settle();
  CHECK(reader.got == "abc");
  CHECK(say(publisher, "d")->queued == 1);
  CHECK(reader.got == "abc");
  world.settle();
  CHECK(reader.got == "abcd");
  CHECK(reader.ended == -1);
  CHECK(inbox.stats().delivered == 4);
}

TEST_CASE("a coroutine that awaits an Inbox gets the retained value") {
  World world;
  auto publisher = world.bus.publisher(news, {.retain = true}).value();
  CHECK(say(publisher, "kept").has_value());
  auto inbox = world.bus.inbox(news).value();
  Reader reader{inbox};
  world.settle();
  CHECK(reader.got == "kept");
  check_conserved(inbox.stats());
}

TEST_CASE("what a full Inbox kept by its policy is what a coroutine gets, and it has room again") {
  struct Case {
    Overflow overflow;
    const char* kept;
  };
  for (const Case& one : {Case{Overflow::drop_newest, "ab"}, Case{Overflow::drop_oldest, "bc"}, Case{Overflow::latest, "c"},
                          Case{Overflow::refuse, "ab"}, Case{Overflow::block, "ab"}}) {
    CAPTURE(one.kept);
    CAPTURE(static_cast<int>(one.overflow));
    World world;
    auto inbox = world.bus.inbox(news, with({.messages = 2, .overflow = one.overflow, .block_for = 5ms})).value();
    auto publisher = world.bus.publisher(news).value();
    for (const char* what : {"a", "b", "c"}) {
      const auto said = say(publisher, what);
      CHECK(code(said) == (one.overflow == Overflow::refuse && *what == 'c' ? is(ErrorCode::full) : 0));
    }
    Reader reader{inbox};
    world.settle();
    CHECK(reader.got == one.kept);
    for (const char* what : {"x", "y"}) {
      CHECK(say(publisher, what)->queued == 1);
      world.settle();
    }
    CHECK(reader.got == std::string{one.kept} + "xy");
    check_conserved(inbox.stats());
  }
}

TEST_CASE("a publish that waits for room in an Inbox goes on when the coroutine that reads it takes something") {
  World world;
  auto inbox = world.bus.inbox(news, with({.messages = 1, .overflow = Overflow::block, .block_for = 1s})).value();
  auto publisher = world.bus.publisher(news).value();
  Reader reader{inbox};
  for (const char* what : {"a", "b", "c"}) CHECK(say(publisher, what)->queued == 1);
  world.settle();
  CHECK(reader.got == "abc");
  CHECK(world.clock->now() == Instant{});
}

TEST_CASE("a coroutine that finds its message taken by another goes on awaiting") {
  World world;
  auto inbox = world.bus.inbox(news).value();
  auto publisher = world.bus.publisher(news).value();
  Reader reader{inbox};
  CHECK(say(publisher, "a").has_value());
  CHECK(inbox.try_take().has_value());
  world.settle();
  CHECK(reader.got.empty());
  CHECK(say(publisher, "b").has_value());
  world.settle();
  CHECK(reader.got == "b");
}

TEST_CASE("of several coroutines that await one Inbox each gets the next, in their order") {
  World world;
  auto inbox = world.bus.inbox(news).value();
  auto publisher = world.bus.publisher(news).value();
  std::vector<std::string> got(3);
  std::vector<Task<int>> tasks;
  for (std::string& one : got) tasks.push_back(read_one(inbox, one));
  for (auto& task : tasks) task.start();
  CHECK(say(publisher, "a").has_value());
  world.settle();
  CHECK(got == std::vector<std::string>{"a", "", ""});
  CHECK(say(publisher, "b").has_value());
  CHECK(say(publisher, "c").has_value());
  world.settle();
  CHECK(got == std::vector<std::string>{"a", "b", "c"});
  for (auto& task : tasks) CHECK(task.done());
}

TEST_CASE("every coroutine that awaits an Inbox hears that it ended") {
  World world;
  auto inbox = std::optional{world.bus.inbox(news).value()};
  Reader first{*inbox}, second{*inbox};
  SUBCASE("with the handle") { inbox.reset(); }
  SUBCASE("with another Inbox in its place") { *inbox = Inbox<Bytes>{}; }
  SUBCASE("with the bus") { world.bus.close(1s); }
  world.settle();
  CHECK(first.ended == is(ErrorCode::closed));
  CHECK(second.ended == is(ErrorCode::closed));
}

TEST_CASE("a coroutine hears at once that an Inbox has ended before") {
  World world;
  auto inbox = world.bus.inbox(news).value();
  SUBCASE("with the bus") { world.bus.close(1s); }
  SUBCASE("by a move") { const auto taken_over = std::move(inbox); }
  Reader reader{inbox};
  world.settle();
  CHECK(reader.ended == is(ErrorCode::closed));
}

TEST_CASE("a coroutine that was destroyed takes nothing out of the Inbox it awaited") {
  World world;
  auto inbox = world.bus.inbox(news).value();
  auto publisher = world.bus.publisher(news).value();
  std::string never;
  {
    auto gone = read_one(inbox, never);
    gone.start();
    SUBCASE("before the message came") {}
    SUBCASE("after it came") { CHECK(say(publisher, "a").has_value()); }
  }
  if (inbox.stats().waiting == 0) CHECK(say(publisher, "a").has_value());
  world.settle();
  CHECK(never.empty());
  CHECK(inbox.stats().delivered == 0);
  Reader reader{inbox};
  world.settle();
  CHECK(reader.got == "a");
}

TEST_CASE("coroutines on several threads and several Publishers: every message of an Inbox is read exactly once") {
  constexpr int each = 2000;
  Bus bus = Bus::open({.executor = pool_executor({.threads = 3}).value()}).value();
  auto inbox = bus.inbox(news, with({.messages = 4 * each})).value();
  std::vector<std::atomic<int>> seen(2 * each);
  std::atomic<int> left{2 * each}, ended{0};
  const auto body = [&]() -> Task<int> {
    while (true) {
      auto item = co_await inbox.next();
      if (!item) break;
      ++seen[static_cast<std::size_t>(std::stoi(text(std::get<Message<Bytes>>(*item))))];
      if (--left == 0) left.notify_all();
    }
    co_return ++ended;
  };
  std::vector<Task<int>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(body());
  for (auto& reader : readers) reader.start();
  std::vector<std::thread> senders;
  for (int from : {0, each})
    senders.emplace_back([&bus, from] {
      auto publisher = bus.publisher(news).value();
      for (int i = from; i < from + each; ++i) CHECK(say(publisher, std::to_string(i))->queued == 1);
    });
  for (auto& sender : senders) sender.join();
  for (int now = left; now != 0; now = left) left.wait(now);
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& count) { return count == 1; }));
  check_conserved(inbox.stats());
  CHECK(bus.close(10s).complete);
  while (!std::all_of(readers.begin(), readers.end(), [](const auto& reader) { return reader.done(); })) std::this_thread::yield();
  CHECK(ended == 3);
}
