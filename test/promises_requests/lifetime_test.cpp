#include "support.hpp"

#include <filesystem>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> news{"news"};

std::size_t entries(const char* folder) {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{folder}) ++n;
  return n;
}

constexpr Topic<Bytes> results{"results"};

/// Ten messages wait for a handler that passes each on and asks a question about it.
void work_while_draining(World& world) {
  int passed = 0, refused = 0, received = 0, answered = 0, called = 0, beats = 0;
  auto out = world.bus.publisher(results).value();
  auto beat = world.bus.publisher(results).value();
  auto server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = world.bus.client(echo).value();
  auto reader = world.bus.subscribe(results, [&](const Message<Bytes>&) { ++received; }).value();
  auto worker = world.bus.subscribe(news, [&](const Message<Bytes>&) {
    world.clock->advance(1ms);  // the timer is due behind each
    ++(out.publish(bytes("done")) ? passed : refused);
    client.request(bytes("q")).then([&](const Result<Message<Bytes>>& reply) { answered += reply ? 1 : 0; });
  }).value();
  auto timer = world.bus.every(1us, [&] {
    ++called;
    beats += beat.publish(bytes("beat")) ? 1 : 0;
  });
  auto publisher = world.bus.publisher(news).value();
  for (int i = 0; i < 10; ++i) CHECK(publisher.publish(bytes("n")));
  CHECK(world.bus.drain(1s).complete);
  CHECK(passed == 10);
  CHECK(refused == 0);
  CHECK(received == 10);
  CHECK(called > 0);
  CHECK(beats == 0);
  CHECK(code(out.publish(bytes("late"))) == is(ErrorCode::closed));
  world.settle();
  CHECK(answered == 10);  // asked by handlers, and not waited for
}

}  // namespace

TEST_CASE("P16 drain handles what waits, refuses new work and says so") {
  World world;
  int seen = 0;
  auto sub = world.bus.subscribe(news, [&](const Message<Bytes>&) { ++seen; }).value();
  auto publisher = world.bus.publisher(news).value();
  for (int i = 0; i < 3; ++i) CHECK(publisher.publish(bytes("n")));
  auto client = world.bus.client(echo).value();
  const Report report = world.bus.drain(1s);
  CHECK(report.complete);
  CHECK(report.delivered == 3);
  CHECK(report.waiting == 0);
  CHECK(seen == 3);
  CHECK(world.reports->drained == 1);
  CHECK(code(publisher.publish(bytes("n"))) == is(ErrorCode::closed));
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::closed));
  CHECK(code(world.bus.publisher(news)) == is(ErrorCode::closed));
}

TEST_CASE("P16 what handlers publish and ask while a bus drains goes, what timers publish does not") {
  World world;
  work_while_draining(world);
}

TEST_CASE("P17 handles that outlive their bus answer closed") {
  Publisher<Bytes> publisher;
  Client<Bytes, Bytes> client;
  Subscription sub;
  Inbox<Bytes> inbox;
  Server server;
  Timer timer;
  Pending<Bytes> pending;
  Message<Bytes> message;
  {
    World world;
    publisher = world.bus.publisher(news).value();
    client = world.bus.client(echo).value();
    sub = world.bus.subscribe(news, [&](const Message<Bytes>& m) { message = m; }).value();
    inbox = world.bus.inbox(news).value();
    timer = world.bus.every(1ms, [] {});
    CHECK(publisher.publish(bytes("kept")));
    world.settle();
    server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
    pending = client.request(bytes("q"));
  }
  CHECK(text(message) == "kept");
  CHECK(code(publisher.publish(bytes("n"))) == is(ErrorCode::closed));
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::closed));
  CHECK(code(client.wait_server(1s)) == is(ErrorCode::closed));
  CHECK(code(pending.get()) == is(ErrorCode::closed));
  CHECK(code(sub.wait_confirmed(1s)) == is(ErrorCode::closed));
  static_cast<void>(inbox.try_take());
  CHECK(code(inbox.take(1s)) == is(ErrorCode::closed));
  CHECK(code(publisher.wait_matched(5, 1s)) == is(ErrorCode::closed));
}

TEST_CASE("P19 empty and moved-from handles answer closed") {
  World world;
  auto publisher = world.bus.publisher(news).value();
  auto client = world.bus.client(echo).value();
  auto moved_publisher = std::move(publisher);
  auto moved_client = std::move(client);
  CHECK(code(publisher.publish(bytes("n"))) == is(ErrorCode::closed));
  CHECK(code(publisher.wait_matched(1, 1s)) == is(ErrorCode::closed));
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::closed));
  CHECK(code(client.open(bytes("q")).next(1s)) == is(ErrorCode::closed));
  CHECK(code(Pending<Bytes>{}.get()) == is(ErrorCode::closed));
  CHECK(code(Responder<Bytes>{}.reply(bytes("r"))) == is(ErrorCode::closed));
  CHECK(code(StreamResponder<Bytes>{}.send(bytes("r"))) == is(ErrorCode::closed));
  CHECK(code(StreamResponder<Bytes>{}.finish()) == is(ErrorCode::closed));
  CHECK(code(Subscription{}.wait_confirmed(1s)) == is(ErrorCode::closed));
  CHECK(code(Inbox<Bytes>{}.take(1s)) == is(ErrorCode::closed));
  CHECK_FALSE(Inbox<Bytes>{}.try_take());
  CHECK(Subscription{}.stats().offered == 0);
  CHECK(Server{}.stats().offered == 0);
  auto bus = Bus::open({.executor = world.loop}).value();
  auto other = std::move(bus);
  CHECK(code(bus.publisher(news)) == is(ErrorCode::closed));
  CHECK(code(bus.attach(nullptr)) == is(ErrorCode::closed));
  CHECK_FALSE(bus.close(1s).complete);
  static_cast<void>(bus.after(1ms, [] {}));
  CHECK(code(other.attach(nullptr)) == is(ErrorCode::invalid_option));
}

TEST_CASE("P17 close names a stuck handler and returns within its duration and 200 ms") {
  std::promise<void> entered, release;
  auto may_end = release.get_future().share();
  std::promise<void> ended;
  {
    auto bus = Bus::open().value();
    auto sub = bus.subscribe(news, [&, may_end](const Message<Bytes>&) {
      entered.set_value();
      may_end.wait();
      ended.set_value();
    }).value();
    CHECK(bus.publisher(news).value().publish(bytes("n")));
    entered.get_future().wait();
    const auto begun = std::chrono::steady_clock::now();
    const Report report = bus.close(50ms);
    const auto took = std::chrono::steady_clock::now() - begun;
    MESSAGE("close(50 ms) took " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
    CHECK(took < 2500ms);
    CHECK_FALSE(report.complete);
    CHECK(report.stuck == "news");
    CHECK(bus.close(1ms).stuck == "news");
    release.set_value();
    ended.get_future().wait();
    CHECK(bus.close(10s).complete);
  }
}

TEST_CASE("P17 close names the bus when a timer of it does not end, each time until it has") {
  for (const bool shares : {false, true}) {
    CAPTURE(shares);
    std::promise<void> entered, release, ended;
    auto may_end = release.get_future().share();
    auto bus = Bus::open({.name = "ticking", .executor = shares ? pool_executor({.threads = 1}).value() : nullptr}).value();
    auto timer = bus.after(0ms, [&, may_end] {
      entered.set_value();
      may_end.wait();
      ended.set_value();
    });
    entered.get_future().wait();
    for (int tries = 0; tries < 2; ++tries) {
      const Report report = bus.close(50ms);
      CHECK_FALSE(report.complete);
      CHECK(report.stuck == "ticking");
    }
    release.set_value();
    ended.get_future().wait();
    CHECK(bus.close(10s).complete);
  }
}

TEST_CASE("P17 a subscription on an executor of its own may outlast the bus there, waiting or running") {
  const auto loop = manual_executor();
  {
    Bus bus = Bus::open().value();
    auto sub = bus.subscribe(news, [](const Message<Bytes>&) {}, {.executor = loop}).value();
    CHECK(bus.publisher(news).value().publish(bytes("n")));
    CHECK(bus.close(1s).complete);
  }
  while (loop->poll() != 0) {
  }
  const auto other = pool_executor({.threads = 1}).value();
  std::latch entered{1}, may_end{1};
  Bus bus = Bus::open().value();
  auto sub = bus.subscribe(news, [&](const Message<Bytes>&) {
    entered.count_down();
    may_end.wait();
  }, {.executor = other}).value();
  CHECK(bus.publisher(news).value().publish(bytes("n")));
  entered.wait();
  CHECK(bus.close(1ms).stuck == "news");
  may_end.count_down();
  CHECK(bus.close(10s).complete);
}

TEST_CASE("P17 the sink that is told closed may close again and is told the same at once") {
  struct Closing final : EventSink {
    void event(const Event& event) noexcept override {
      if (event.kind != EventKind::closed || !bus) return;
      ++told;
      complete = bus->close(1h).complete;
    }
    Bus* bus = nullptr;
    int told = 0;
    bool complete = false;
  };
  const auto sink = std::make_shared<Closing>();
  Bus bus = Bus::open({.event = sink}).value();
  sink->bus = &bus;
  CHECK(bus.close(1s).complete);
  CHECK(sink->told == 1);
  CHECK(sink->complete);
  sink->bus = nullptr;
}

TEST_CASE("who waits for a match may subscribe in its callback, on the thread whose subscribe it was told of") {
  Bus bus = Bus::open({.executor = inline_executor()}).value();
  auto publisher = bus.publisher(news).value();
  std::optional<Subscription> second;
  publisher.matched(1, [&](Result<void>) { second = bus.subscribe(Topic<Bytes>{"other"}, [](const Message<Bytes>&) {}).value(); });
  auto first = bus.subscribe(news, [](const Message<Bytes>&) {}).value();
  CHECK(second.has_value());
  std::optional<Server> server;
  auto client = bus.client(echo).value();
  client.server([&](Result<void>) { server = bus.serve(Service<Bytes, Bytes>{"other"}, [](const Request<Bytes>& q) { return q; }).value(); });
  auto served = bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  CHECK(server.has_value());
}

TEST_CASE("P17 close inside a handler only starts, and closed is an event") {
  World world;
  bool complete = true;
  auto sub = world.bus.subscribe(news, [&](const Message<Bytes>&) { complete = world.bus.close(1s).complete; }).value();
  CHECK(world.bus.publisher(news).value().publish(bytes("n")));
  world.settle();
  CHECK_FALSE(complete);
  CHECK(world.bus.close(1s).complete);
  CHECK(world.reports->closed == 1);
}

TEST_CASE("P17 after close no thread and no descriptor of ours remains") {
  { auto warm = Bus::open().value(); }
  const std::size_t threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
  {
    auto bus = Bus::open().value();
    auto sub = bus.subscribe(news, [](const Message<Bytes>&) {}).value();
    auto server = bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
    CHECK(bus.client(echo).value().request(bytes("q")).get());
    CHECK(entries("/proc/self/task") > threads);
    CHECK(bus.close(5s).complete);
    // A joined thread may still be listed for a moment: its entry goes with the kernel's task, not with the join.
    for (int i = 0; i < 100'000 && entries("/proc/self/task") > threads; ++i) std::this_thread::yield();
    // A thread of an earlier test may just have been ending when they were counted.
    CHECK(entries("/proc/self/task") <= threads);
    CHECK(entries("/proc/self/fd") == descriptors);
  }
}

TEST_CASE("P17 an answer that waits on an executor which nobody drives keeps no bus alive, and is closed") {
  std::shared_ptr<Clock> clock = testing::manual_clock();
  const std::weak_ptr<Clock> alive = clock;  // the bus and its executor hold it
  std::vector<int> answers;
  {
    auto loop = manual_executor(clock);
    Bus bus = Bus::open({.executor = loop, .clock = clock}).value();
    auto publisher = bus.publisher(news).value();
    publisher.matched(0, [&](Result<void> matched) { answers.push_back(code(matched)); });
    CHECK(answers.empty());
  }
  clock.reset();
  CHECK(alive.expired());
  CHECK(answers == std::vector<int>{is(ErrorCode::closed)});
}

TEST_CASE("~Subscription on another thread returns when the handler is not running and never will") {
  auto bus = Bus::open().value();
  auto publisher = bus.publisher(news).value();
  for (int round = 0; round < 50; ++round) {
    std::promise<void> entered;
    std::atomic<bool> gone{false};
    std::atomic<int> after{0};
    std::once_flag once;
    {
      auto sub = bus.subscribe(news, [&](const Message<Bytes>&) {
        std::call_once(once, [&] { entered.set_value(); });
        if (gone) ++after;
      }).value();
      for (int i = 0; i < 20; ++i) CHECK(publisher.publish(bytes("n")));
      entered.get_future().wait();
    }
    gone = true;
    CHECK(publisher.publish(bytes("n"))->sinks == 0);
    CHECK(after == 0);
  }
}

TEST_CASE("a subscription dropped inside its own handler does not wait, and stopped() tells once") {
  World world;
  std::optional<Subscription> sub;
  int seen = 0, stopped = 0;
  sub = world.bus.subscribe(news, [&](const Message<Bytes>&) { ++seen, sub.reset(); }).value();
  sub->stopped([&] { ++stopped; });
  auto publisher = world.bus.publisher(news).value();
  CHECK(publisher.publish(bytes("n")));
  CHECK(publisher.publish(bytes("n")));
  world.settle();
  CHECK(seen == 1);
  CHECK(stopped == 1);
}

TEST_CASE("P19 bad names, options and versions get a typed error that says what to do") {
  World world;
  for (const std::string& name : {std::string{}, std::string{"a..b"}, std::string{".a"}, std::string{"a."}, std::string{"a b"}, std::string{"_midplane.x"}, std::string{"a.*"},
                           std::string(256, 'x'), std::string{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"}, std::string("a\0b", 3)}) {
    auto topic = Topic<Bytes>::named(name);
    REQUIRE(code(topic) == is(ErrorCode::invalid_name));
    CHECK(topic.error().text().size() > 10);
    CHECK(code(Service<Bytes, Bytes>::named(name)) == is(ErrorCode::invalid_name));
  }
  for (const char* pattern : {"", ">.a", "a.**", "a.>.b", "a.b*"}) CHECK(code(Pattern<Bytes>::parse(pattern)) == is(ErrorCode::invalid_name));
  for (const char* pattern : {"parcels.**", "a*.b", "a.>>"}) {
    const auto parsed = Pattern<Bytes>::parse(pattern);
    REQUIRE(code(parsed) == is(ErrorCode::invalid_name));
    CHECK(parsed.error().text().find("'*' for one token, '>' at the end for one or more") != std::string_view::npos);
    CHECK(parsed.error().detail() == pattern);
  }
  for (const char* pattern : {"a b.*", "r\xc3\xa4um.>"}) {
    const auto parsed = Pattern<Bytes>::parse(pattern);
    REQUIRE(code(parsed) == is(ErrorCode::invalid_name));
    CHECK(parsed.error().text().find("A-Z a-z 0-9 _ -") != std::string_view::npos);
  }
  CHECK(Bus::open({.name = "two.tokens"}).error().detail() == "two.tokens");
  const auto refused = [](const auto& result) {
    REQUIRE(code(result) == is(ErrorCode::invalid_option));
    CHECK(result.error().text().size() > 10);
  };
  refused(world.bus.subscribe(news, [](const Message<Bytes>&) {}, {.queue = Queue{.messages = 0}}));
  refused(world.bus.subscribe(news, [](const Message<Bytes>&) {}, {.queue = Queue{.bytes = 0}}));
  refused(world.bus.subscribe(news, [](const Message<Bytes>&) {}, {.concurrency = 0}));
  refused(world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }, {.concurrency = 0}));
  refused(world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }, {.queue = Queue{.messages = 0}}));
  refused(world.bus.client(echo, {.timeout = 0ms}));
  refused(world.bus.client(echo, {.timeout = -1s}));
  refused(world.bus.client(echo, {.pending = 0}));
  refused(world.bus.client(echo, {.pending = 1u << 30}));
  refused(Bus::open({.name = "two.tokens"}));
  refused(Bus::open({.name = "space here"}));
  refused(Bus::open({.limits = {.message_bytes_max = 1}}));
  refused(Bus::open({.limits = {.payload_memory_bytes_max = 1}}));
  CHECK(code(detail::open_bus({}, header_version + 1)) == is(ErrorCode::version_mismatch));
  auto client = world.bus.client(echo).value();
  CHECK(code(client.request(bytes("q"), {.timeout = 0ms}).get()) == is(ErrorCode::expired));
}
