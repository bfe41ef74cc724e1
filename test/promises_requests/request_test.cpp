#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

struct Gate final : Interceptor {
  Verdict enter(const Crossing&) noexcept override {
    ++entered;
    return open ? Verdict::pass() : Verdict::refuse(ErrorCode::denied);
  }
  void leave(const Crossing&, const Error* error) noexcept override { ++left, failed += error ? 1 : 0; }
  bool open = true;
  std::atomic<int> entered{0}, left{0}, failed{0};
};

template <class F>
Result<Message<Bytes>> ask_one(F handler) {
  World world;
  auto server = world.bus.serve(echo, std::move(handler)).value();
  auto client = world.bus.client(echo).value();
  return client.request(bytes("q")).get();
}

}  // namespace

TEST_CASE("P12 a reply is the outcome ok") {
  auto reply = ask_one([](Request<Bytes> q, Responder<Bytes> a) { CHECK(a.reply(q)); });
  REQUIRE(reply);
  CHECK(text(*reply) == "q");
}

TEST_CASE("P12 a handler that fails with its own code is app_error with code and text") {
  auto reply = ask_one([](Request<Bytes>, Responder<Bytes> a) { CHECK(a.fail(7, "no such thing")); });
  REQUIRE(code(reply) == is(ErrorCode::app_error));
  CHECK(reply.error().app_code() == 7);
  CHECK(reply.error().detail() == "no such thing");
  CHECK(reply.error().fate() == Fate::failed);
}

TEST_CASE("P12 a handler that returns its answer may return an error of its own instead") {
  World world;
  auto server = world.bus.serve(echo, [](const Request<Bytes>&) -> Result<Message<Bytes>> { return app_error(7, "no such thing"); }).value();
  const auto reply = world.bus.client(echo).value().request(bytes("q")).get();
  REQUIRE(code(reply) == is(ErrorCode::app_error));
  CHECK(reply.error().app_code() == 7);
  CHECK(reply.error().detail() == "no such thing");
  CHECK(reply.error().fate() == Fate::failed);
}

TEST_CASE("P12 a dropped responder answers abandoned") {
  auto reply = ask_one([](Request<Bytes>, Responder<Bytes>) {});
  CHECK(code(reply) == is(ErrorCode::abandoned));
  CHECK(reply.error().fate() == Fate::failed);
}

TEST_CASE("P12 P6 a handler that throws answers handler_failed in every style, is counted and reported once") {
  World world;
  auto ask = [&](auto handler) {
    const int before = world.reports->handler_failed;
    const auto counted = world.bus.stats().handler_exceptions;
    auto server = world.bus.serve(echo, std::move(handler)).value();
    auto reply = world.bus.client(echo).value().request(bytes("q")).get();
    CHECK(code(reply) == is(ErrorCode::handler_failed));
    CHECK(reply.error().fate() == Fate::failed);
    CHECK(world.reports->handler_failed == before + 1);
    CHECK(world.bus.stats().handler_exceptions == counted + 1);
  };
  using Question = Request<Bytes>;
  ask([](const Question&) -> Message<Bytes> { throw std::runtime_error{"value style"}; });
  ask([](Question, Responder<Bytes>) { throw std::runtime_error{"responder style"}; });
  ask([](Question, StreamResponder<Bytes>) { throw 3; });
  ask([](const Question&) -> Task<Message<Bytes>> {
    throw std::runtime_error{"coroutine style"};
    co_return Message<Bytes>{};
  });
}

TEST_CASE("P12 nobody serves: no_server at once, not started") {
  World world;
  auto reply = world.bus.client(echo).value().request(bytes("q")).get();
  CHECK(code(reply) == is(ErrorCode::no_server));
  CHECK(reply.error().fate() == Fate::not_started);
}

TEST_CASE("P12 get and next keep their deadline while every thread of the pool is busy") {
  const auto two = pool_executor({.threads = 2}).value();
  Bus bus = Bus::open({.executor = two}).value();
  std::latch both{3}, over{1};
  const auto busy = [&](const Message<Bytes>&) {
    both.arrive_and_wait();
    over.wait();
  };
  constexpr Topic<Bytes> topic{"busy"};
  auto one = bus.subscribe(topic, busy).value(), other = bus.subscribe(topic, busy).value();
  auto server = bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = bus.client(echo).value();
  CHECK(bus.publisher(topic).value().publish(bytes("n")));
  both.arrive_and_wait();
  auto reply = client.request(bytes("q"), {.timeout = 20ms}).get();
  CHECK(code(reply) == is(ErrorCode::timed_out));
  auto stream = client.open(bytes("q"), {.timeout = 20ms});
  CHECK(code(stream.next(1h)) == is(ErrorCode::timed_out));
  over.count_down();
}

TEST_CASE("P15 a full server answers busy before its handler runs") {
  World world;
  int ran = 0;
  auto server = world.bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) { ++ran; CHECK(a.reply(q)); },
                                {.queue = Queue{.messages = 2}}).value();
  auto client = world.bus.client(echo).value();
  Outcomes taken, refused;
  for (int i = 0; i < 2; ++i) client.request(bytes("q")).then(taken.catcher());
  client.request(bytes("q")).then(refused.catcher());
  world.settle();
  CHECK(refused.last == is(ErrorCode::busy));
  CHECK(refused.fate == Fate::not_started);
  CHECK(ran == 2);
  CHECK(taken.count == 2);
  CHECK(refused.count == 1);
}

TEST_CASE("P12 a client over its pending limit answers busy") {
  World world;
  auto server = world.bus.serve(echo, [](Request<Bytes> q, Responder<Bytes> a) { CHECK(a.reply(q)); }).value();
  auto client = world.bus.client(echo, {.pending = 1}).value();
  auto first = client.request(bytes("q"));
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::busy));
  CHECK(first.get());
}

TEST_CASE("P12 no answer by the deadline is timed_out at the first run after it, exactly once") {
  World world;
  std::vector<Responder<Bytes>> kept;
  auto server = world.bus.serve(echo, [&](Request<Bytes>, Responder<Bytes> a) { kept.push_back(std::move(a)); }).value();
  auto client = world.bus.client(echo, {.timeout = 100ms}).value();
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  world.pass(99ms);
  CHECK(outcome.count == 0);
  world.pass(2ms);
  CHECK(outcome.last == is(ErrorCode::timed_out));
  CHECK(outcome.fate == Fate::maybe_executed);
  SUBCASE("P14 a late reply goes nowhere, also when its slot is used again") {
    Outcomes next;
    client.request(bytes("next")).then(next.catcher());
    world.settle();
    CHECK(kept[0].reply(bytes("late")));
    world.settle();
    CHECK(next.count == 0);
    CHECK(kept[1].reply(bytes("mine")));
    world.settle();
    CHECK(next.last == 0);
  }
  CHECK(outcome.count == 1);
}

TEST_CASE("P15 work whose deadline has passed is dropped before the handler and counted as expired") {
  World world;
  int ran = 0;
  auto server = world.bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) { ++ran; CHECK(a.reply(q)); }).value();
  auto client = world.bus.client(echo, {.timeout = 10ms}).value();
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  world.clock->advance(20ms);
  world.settle();
  CHECK(ran == 0);
  CHECK(server.stats().dropped[DropReason::expired] == 1);
  CHECK(outcome.last == is(ErrorCode::timed_out));  // the driver fires timers before it runs what waits
  CHECK(outcome.count == 1);
}

TEST_CASE("P12 a dropped Pending cancels: the handler learns it, a throwing on_cancel harms nobody") {
  World world;
  std::optional<Responder<Bytes>> kept;
  int told = 0;
  auto server = world.bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
    q.on_cancel([&told, q] { ++told; CHECK(q.cancelled()); throw 1; });
    kept = std::move(a);
  }).value();
  auto client = world.bus.client(echo).value();
  {
    auto pending = client.request(bytes("q"));
    world.settle();
    CHECK(told == 0);
  }
  CHECK(told == 1);
  CHECK(world.bus.stats().handler_exceptions == 1);
  CHECK(world.bus.stats().requests_failed == 1);
  CHECK(kept->reply(bytes("late")));
}

TEST_CASE("P12 close ends what is pending with closed, and then() hears it once") {
  World world;
  std::optional<Responder<Bytes>> kept;
  auto server = world.bus.serve(echo, [&](Request<Bytes>, Responder<Bytes> a) { kept = std::move(a); }).value();
  auto client = world.bus.client(echo).value();
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  world.settle();
  CHECK(world.bus.close(1s).complete);
  world.settle();
  CHECK(outcome.count == 1);
  CHECK(outcome.last == is(ErrorCode::closed));
  CHECK(outcome.fate == Fate::maybe_executed);
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::closed));
}

TEST_CASE("P12 a bus with its own pool tells then() closed before close returns") {
  std::atomic<int> count{0}, last{-1};
  std::optional<Responder<Bytes>> kept;
  std::promise<void> entered;
  auto bus = Bus::open().value();
  auto server = bus.serve(echo, [&](Request<Bytes>, Responder<Bytes> a) { kept = std::move(a), entered.set_value(); }).value();
  auto client = bus.client(echo).value();
  client.request(bytes("q")).then([&](Result<Message<Bytes>> reply) { ++count, last = code(reply); });
  entered.get_future().wait();
  CHECK(bus.close(1s).complete);
  CHECK(count == 1);
  CHECK(last == is(ErrorCode::closed));
}

TEST_CASE("P12 interceptors: a refusal is denied, and leave runs once for every enter that passed") {
  World world;
  auto client_gate = std::make_shared<Gate>();
  auto server_gate = std::make_shared<Gate>();
  auto bus = Bus::open({.executor = world.loop, .clock = world.clock, .interceptors = {server_gate}}).value();
  auto server = bus.serve(echo, [](const Request<Bytes>& q) -> Message<Bytes> {
    if (text(q) == "throw") throw 1;
    return q;
  }).value();
  auto client = bus.client(echo, {.interceptors = {client_gate}}).value();
  CHECK(client.request(bytes("q")).get());
  CHECK(code(client.request(bytes("throw")).get()) == is(ErrorCode::handler_failed));
  CHECK(server_gate->entered == 2);
  CHECK(server_gate->left == 2);
  CHECK(client_gate->left == 2);
  CHECK(client_gate->failed == 1);
  server_gate->open = false;
  CHECK(code(client.request(bytes("q")).get()) == is(ErrorCode::denied));
  CHECK(server_gate->left == 2);
  client_gate->open = false;
  auto denied = client.request(bytes("q")).get();
  CHECK(code(denied) == is(ErrorCode::denied));
  CHECK(denied.error().fate() == Fate::not_started);
  CHECK(client_gate->entered == 4);
  CHECK(client_gate->left == 3);
}

TEST_CASE("a plain function serves, and another subscribes") {
  struct Plain {
    static Result<Message<Bytes>> echo_of(const Request<Bytes>& question) { return question; }
    static void answer(Request<Bytes> question, Responder<Bytes> responder) { static_cast<void>(responder.reply(question)); }
    static void seen(const Message<Bytes>&) {}
  };
  World world;
  auto sub = world.bus.subscribe(Topic<Bytes>{"any"}, Plain::seen).value();
  {
    auto server = world.bus.serve(echo, Plain::echo_of).value();
    CHECK(text(world.bus.client(echo).value().request(bytes("one")).get().value()) == "one");
  }
  auto server = world.bus.serve(echo, Plain::answer).value();
  CHECK(text(world.bus.client(echo).value().request(bytes("two")).get().value()) == "two");
}

TEST_CASE("P12 too_large and no_memory are outcomes of a request that did not start") {
  World world;
  auto bus = Bus::open({.executor = world.loop, .clock = world.clock, .limits = {.message_bytes_max = 1024, .payload_memory_bytes_max = 1 << 20}}).value();
  auto server = bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = bus.client(echo).value();
  auto large = client.request(bytes(std::string(2000, 'x'))).get();
  CHECK(code(large) == is(ErrorCode::too_large));
  CHECK(large.error().fate() == Fate::not_started);
  std::vector<Pending<Bytes>> held;
  int last = 0;
  for (int i = 0; i < 4000 && last == 0; ++i) {
    held.push_back(client.request(bytes(std::string(1000, 'x'))));
    if (held.back().ready()) last = code(held.back().get());
  }
  CHECK(last == is(ErrorCode::no_memory));
}

TEST_CASE("P13 nothing is sent again, and policy() says so") {
  World world;
  int ran = 0;
  auto server = world.bus.serve(echo, [&](Request<Bytes>, Responder<Bytes>) { ++ran; }).value();
  auto client = world.bus.client(echo, {.timeout = 3s}).value();
  CHECK(client.policy().attempts_max == 1);
  CHECK(client.policy().timeout == 3s);
  CHECK_FALSE(client.request(bytes("q")).get());
  world.pass(10s);
  CHECK(ran == 1);
}

TEST_CASE("P6 what then(), a timer and a coroutine throw is caught, counted and reported once") {
  World world;
  auto server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = world.bus.client(echo).value();
  client.request(bytes("q")).then([](auto) { throw std::runtime_error{"then"}; });
  world.settle();
  CHECK(world.bus.stats().handler_exceptions == 1);
  auto timer = world.bus.after(1ms, [] { throw 1; });
  auto nothing = world.bus.after(1ms, {});
  world.pass(2ms);
  CHECK(world.bus.stats().handler_exceptions == 2);
  CHECK(world.reports->handler_failed == 2);
}

TEST_CASE("several servers of one service get requests in turn") {
  World world;
  int ran[2] = {};
  auto one = world.bus.serve(echo, [&](const Request<Bytes>& q) { return ++ran[0], q; }).value();
  auto two = world.bus.serve(echo, [&](const Request<Bytes>& q) { return ++ran[1], q; }).value();
  auto client = world.bus.client(echo).value();
  for (int i = 0; i < 10; ++i) CHECK(client.request(bytes("q")).get());
  CHECK(ran[0] == 5);
  CHECK(ran[1] == 5);
}

TEST_CASE("a withdrawn server answers what waits in its queue with no_server") {
  World world;
  std::optional<Server> server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = world.bus.client(echo).value();
  Outcomes outcome;
  client.request(bytes("q")).then(outcome.catcher());
  server.reset();
  world.settle();
  CHECK(outcome.count == 1);
  CHECK(outcome.last == is(ErrorCode::no_server));
}

TEST_CASE("a deferred reply from another thread completes the Pending") {
  auto bus = Bus::open().value();
  std::vector<std::jthread> threads;
  auto server = bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
    threads.emplace_back([q, a = std::move(a)]() mutable { static_cast<void>(a.reply(q)); });
  }).value();
  auto client = bus.client(echo).value();
  for (int i = 0; i < 20; ++i) CHECK(text(client.request(bytes(std::to_string(i))).get().value()) == std::to_string(i));
}

TEST_CASE("get in a manual handler answers would_deadlock, and the Pending stays valid") {
  World world;
  Outcomes outcome;
  int inside = 0;
  auto server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto client = world.bus.client(echo).value();
  auto timer = world.bus.after(1ms, [&] {
    auto pending = client.request(bytes("q"));
    inside = code(pending.get());
    std::move(pending).then(outcome.catcher());
  });
  world.pass(2ms);
  CHECK(inside == is(ErrorCode::would_deadlock));
  CHECK(outcome.last == 0);
}

TEST_CASE("get on a pool waits while another worker can answer, else would_deadlock") {
  for (const std::size_t threads : {1u, 2u}) {
    auto pool = pool_executor({.threads = threads}).value();
    auto bus = Bus::open({.executor = pool}).value();
    auto server = bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
    auto client = bus.client(echo).value();
    for (int i = 0; i < 1000; ++i) {
      std::promise<int> got;
      auto timer = bus.after(0ms, [&] { got.set_value(code(client.request(bytes("q")).get())); });
      CHECK(got.get_future().get() == (threads == 1 ? is(ErrorCode::would_deadlock) : 0));
    }
  }
}

TEST_CASE("a coroutine awaits replies on the bus's executor, in a task type of the user's") {
  World world;
  static constexpr Service<Bytes, Bytes> outer{"outer"};
  auto client = world.bus.client(echo).value();
  auto server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  auto relay = world.bus.serve(outer, [&](const Request<Bytes>& q) -> Task<Result<Message<Bytes>>> {
    auto first = co_await client.request(q);
    if (!first) co_return first.error();
    co_return co_await client.request(*first);
  }).value();
  auto reply = world.bus.client(outer).value().request(bytes("through")).get();
  REQUIRE(reply);
  CHECK(text(*reply) == "through");
}

TEST_CASE("destroying a coroutine that awaits cancels the request and never resumes it") {
  World world;
  std::optional<Responder<Bytes>> kept;
  bool resumed = false, gave_up = false;
  auto server = world.bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
    q.on_cancel([&] { gave_up = true; });
    kept = std::move(a);
  }).value();
  auto client = world.bus.client(echo).value();
  auto body = [&]() -> Task<int> {
    static_cast<void>(co_await client.request(bytes("q")));
    resumed = true;
    co_return 1;
  };
  {
    auto task = body();
    task.start();
    world.settle();
    CHECK_FALSE(gave_up);
  }
  CHECK(gave_up);
  static_cast<void>(kept->reply(bytes("late")));
  world.pass(10s);
  CHECK_FALSE(resumed);
}

TEST_CASE("a second get, and next behind the end of a stream, say that there is nothing left to take") {
  World world;
  auto server = world.bus.serve(echo, [](const Request<Bytes>& q) { return q.bytes(); }).value();
  auto client = world.bus.client(echo).value();
  auto pending = client.request(bytes("q"));
  world.settle();
  REQUIRE(pending.get());
  const auto again = pending.get();
  REQUIRE(code(again) == is(ErrorCode::closed));
  CHECK(again.error().text().find("taken already") != std::string_view::npos);
  constexpr Service<Bytes, Bytes> items{"items"};
  auto streams = world.bus.serve(items, [](Request<Bytes>, StreamResponder<Bytes> out) { CHECK(out.finish()); }).value();
  auto stream = world.bus.client(items).value().open(bytes("q"));
  world.settle();
  const auto end = stream.next(0s);
  REQUIRE(end);
  CHECK_FALSE(end->has_value());
  const auto behind = stream.next(0s);
  REQUIRE(code(behind) == is(ErrorCode::closed));
  CHECK(behind.error().text().find("no more items") != std::string_view::npos);
}
