/// P5, P6 and P7 in one process.
#include "promises/near_support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> inner{"inner"};
inline constexpr Service<Bytes, Bytes> echo{"echo"};

/// A bus over each kind of executor, and a way to let it finish what waits.
struct Kind {
  const char* name;
  std::shared_ptr<Executor> executor;
};
std::vector<Kind> kinds() {
  return {{"inline", inline_executor()}, {"manual", manual_executor()}, {"pool", pool_executor({.threads = 2}).value()}};
}
struct Endings final : EventSink {
  void event(const Event& event) noexcept override {
    if (event.kind == EventKind::drained) ++drained;
    if (event.kind == EventKind::closed) ++closed;
  }
  std::atomic<int> drained{0}, closed{0};
};
void until(Executor& executor, const std::function<bool()>& done) {
  const Instant limit = steady_clock()->now() + seconds{20};
  while (!done() && steady_clock()->now() < limit) {
    if (executor.is_driven()) executor.drive(Instant{});
    else std::this_thread::yield();
  }
  CHECK(done());
}

}  // namespace

TEST_CASE("P5 everything is legal inside a handler and publishing there never nests a handler") {
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Bus bus = Bus::open({.executor = kind.executor}).value();
    thread_local int depth = 0;
    std::atomic<int> deepest{0};
    std::atomic<int> inner_calls{0};
    std::atomic<int> replies{0};
    std::atomic<bool> done{false};
    struct Depth {
      explicit Depth(std::atomic<int>& most) { if (++depth > most) most = depth; }
      ~Depth() { --depth; }
    };
    auto publisher = bus.publisher(inner).value();
    auto own = bus.publisher(numbers).value();
    auto server = bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) { Depth d{deepest}; static_cast<void>(a.reply(q.bytes())); }).value();
    auto client = bus.client(echo).value();
    std::optional<Subscription> listener = bus.subscribe(inner, [&](const Message<Bytes>&) { Depth d{deepest}; ++inner_calls; }).value();
    std::optional<Subscription> second;
    auto sub = bus.subscribe(numbers, [&](const Message<Bytes>& m) {
      Depth d{deepest};
      const std::uint64_t n = number_in(m);
      if (n < 3) {
        CHECK(put(own, n + 1).has_value());
        CHECK(put(publisher, n).has_value());
        client.request(payload(n)).then([&](auto reply) { replies += reply.has_value(); });
        return;
      }
      second = bus.subscribe(inner, [&](const Message<Bytes>&) { Depth e{deepest}; ++inner_calls; }).value();
      CHECK(put(publisher, n).has_value());
      listener.reset();
      done = true;
    }).value();
    auto first = put(own, 0);
    CHECK(first.has_value());
    until(*kind.executor, [&] { return done.load() && replies.load() == 3 && inner_calls.load() >= 1; });
    CHECK(deepest.load() == 1);
    if (kind.executor->is_driven()) while (kind.executor->drive(Instant{})) {}
    bus.close(seconds{5});
    check_conserved(bus);
    kind.executor->stop(steady_clock()->now() + seconds{5});
  }
}

TEST_CASE("P5 an inline handler may destroy the Publisher whose publish it runs in") {
  struct Counting final : Interceptor {
    int entered = 0, left = 0;
    Verdict enter(const Crossing&) noexcept override { return ++entered, Verdict::pass(); }
    void leave(const Crossing&, const Error*) noexcept override { ++left; }
  };
  auto crossings = std::make_shared<Counting>();
  Bus bus = Bus::open({.name = "near", .executor = inline_executor(), .interceptors = {crossings}}).value();
  std::optional<Publisher<Bytes>> publisher = bus.publisher(numbers).value();
  int seen = 0;
  const Subscription subscription = bus.subscribe(numbers, [&](const Message<Bytes>&) {
    publisher.reset();
    ++seen;
  }).value();
  CHECK(put(*publisher, 1)->queued == 1);
  CHECK(seen == 1);
  CHECK_FALSE(publisher.has_value());
  CHECK(crossings->left == 1);
}

TEST_CASE("P5 drain and close inside a handler start and do not wait; their event tells the end") {
  for (const bool draining : {true, false}) {
    for (const Kind& kind : kinds()) {
      CAPTURE(kind.name);
      const auto endings = std::make_shared<Endings>();
      Bus bus = Bus::open({.executor = kind.executor, .event = endings}).value();
      std::atomic<int> calls{0};
      auto sub = bus.subscribe(numbers, [&](const Message<Bytes>&) {
        if (++calls != 1) return;
        const Report report = draining ? bus.drain(seconds{9}) : bus.close(seconds{9});
        CHECK_FALSE(report.complete);
      }).value();
      auto publisher = bus.publisher(numbers).value();
      for (std::uint64_t i = 0; i < 5; ++i) static_cast<void>(put(publisher, i));
      until(*kind.executor, [&] { return calls.load() > 0; });
      auto late = put(publisher, 9);
      until(*kind.executor, [&] { return !put(publisher, 9).has_value(); });
      until(*kind.executor, [&] { return (draining ? endings->drained : endings->closed) == 1; });
      CHECK((draining ? endings->drained : endings->closed) == 1);
      if (draining) CHECK(bus.drain(seconds{5}).complete);
      CHECK(bus.close(seconds{5}).complete);
      CHECK(endings->closed == 1);
      check_conserved(bus);
      kind.executor->stop(steady_clock()->now() + seconds{5});
    }
  }
}

TEST_CASE("P5 a handler may end its own subscription: no new call starts and stopped tells when the last ended") {
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Bus bus = Bus::open({.executor = kind.executor}).value();
    std::atomic<int> calls{0};
    std::atomic<bool> stopped{false};
    std::optional<Subscription> sub;
    auto alive = std::make_shared<int>(7);
    std::atomic<bool> ready{false};
    sub = bus.subscribe(numbers, [&, alive](const Message<Bytes>&) {
      while (!ready) std::this_thread::yield();
      ++calls;
      sub.reset();
      CHECK(*alive == 7);
      CHECK_FALSE(stopped.load());
    }).value();
    sub->stopped([&] { stopped = true; });
    ready = true;
    auto publisher = bus.publisher(numbers).value();
    for (std::uint64_t i = 0; i < 5; ++i) static_cast<void>(put(publisher, i));
    until(*kind.executor, [&] { return stopped.load(); });
    CHECK(calls.load() == 1);
    until(*kind.executor, [&] { return alive.use_count() == 1; });
    bus.close(seconds{5});
    check_conserved(bus);
    kind.executor->stop(steady_clock()->now() + seconds{5});
  }
}

TEST_CASE("P6 an exception is caught, counted once, told once, and harms nobody else") {
  struct Sink final : EventSink {
    void event(const Event& event) noexcept override { if (event.kind == EventKind::handler_failed) ++told; }
    std::atomic<int> told{0};
  };
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    auto sink = std::make_shared<Sink>();
    Bus bus = Bus::open({.executor = kind.executor, .event = sink}).value();
    std::atomic<int> others{0};
    auto bad = bus.subscribe(numbers, [&](const Message<Bytes>& m) {
      if (number_in(m) == 1) throw std::runtime_error{"no"};
      if (number_in(m) == 2) throw 2;
    }).value();
    auto good = bus.subscribe(numbers, [&](const Message<Bytes>&) { ++others; }).value();
    auto publisher = bus.publisher(numbers).value();
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(put(publisher, i)->queued == 2);
    CHECK(bus.drain(seconds{10}).complete);
    CHECK(others == 4);
    CHECK(bad.stats().delivered == 2);
    CHECK(bad.stats().dropped[DropReason::handler_failed] == 2);
    CHECK(bus.stats().handler_exceptions == 2);
    CHECK(sink->told == 2);
    check_conserved(bus);
    bus.close(seconds{5});
    kind.executor->stop(steady_clock()->now() + seconds{5});
  }
}

TEST_CASE("P7 a handler never runs concurrently with itself; with concurrency it does") {
  for (const unsigned concurrency : {1u, 4u}) {
    auto pool = pool_executor({.threads = 4}).value();
    Bus bus = Bus::open({.executor = pool}).value();
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> calls{0};
    SubscribeOptions options = with({.messages = 4096});
    options.concurrency = concurrency;
    auto sub = bus.subscribe(numbers, [&](const Message<Bytes>&) {
      const int now = ++inside;
      if (now > most) most = now;
      if (concurrency > 1 && calls < 2) {  // the first ones wait for each other
        ++calls;
        const Instant limit = steady_clock()->now() + seconds{10};
        while (most < 2 && steady_clock()->now() < limit) std::this_thread::yield();
      } else {
        ++calls;
      }
      --inside;
    }, std::move(options)).value();
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
      threads.emplace_back([&] {
        auto publisher = bus.publisher(numbers).value();
        for (std::uint64_t i = 0; i < 1000; ++i) CHECK(put(publisher, i)->queued == 1);
      });
    for (auto& thread : threads) thread.join();
    CHECK(bus.drain(seconds{20}).complete);
    CHECK(calls.load() == 2000);
    if (concurrency == 1) CHECK(most.load() == 1);
    else CHECK(most.load() > 1);
    CHECK(most.load() <= static_cast<int>(concurrency));
    check_conserved(bus);
    bus.close(seconds{5});
    pool->stop(steady_clock()->now() + seconds{5});
  }
}
