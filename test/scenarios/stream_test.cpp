/// Streamed replies with credits.
#include "setting.hpp"

#include <set>
#include <thread>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr int window = 64;

/// Sends `count` numbers as fast as credit allows, then ends as it is told.
struct Source {
  Source(Setting& s, int items, std::function<void(StreamResponder<Bytes>&)> end)
      : bus{s.out()}, count{items}, ending{std::move(end)},
        server{s.out().serve(echo, [this](Request<Bytes> q, StreamResponder<Bytes> a) {
          q.on_cancel([count = cancelled] { ++*count; });  // perhaps when this has ended
          question = std::move(q);
          responder = std::move(a);
          pump();
        }).value()} {}
  void pump() {
    while (sent < count) {
      const int next = sent;
      ++sent;  // before it leaves: the reader must never know of more
      auto became = responder.send(bytes(std::to_string(next)));
      if (became && *became == Streamed::queued) continue;
      --sent;
      if (became && *became == Streamed::no_credit) {
        ++no_credit;
        // Later, not in here: what may be called at once would nest.
        responder.writable([this] {
          const std::lock_guard lock{retrying};
          retries.push_back(bus.after(1ms, [this] { pump(); }));
        });
        return;
      }
      gone = true;
      return;
    }
    ending(responder);
    ended = true;
  }
  Bus& bus;
  const int count;
  std::mutex retrying;
  std::vector<Timer> retries;
  std::function<void(StreamResponder<Bytes>&)> ending;
  std::atomic<int> sent{0}, no_credit{0};
  const std::shared_ptr<std::atomic<int>> cancelled = std::make_shared<std::atomic<int>>(0);
  std::atomic<bool> gone{false}, ended{false};
  Request<Bytes> question;
  StreamResponder<Bytes> responder;
  Server server;
};

}  // namespace

EVERYWHERE("10000 items reach a slow reader in order, never more than 64 under way; the server sees no_credit, then writable") {
  Source source{s, 10'000, [](auto& a) { CHECK(a.finish()); }};
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  REQUIRE(s.wait_until([&] { return source.no_credit > 0 && source.sent == window; }));
  int read = 0, ahead_max = 0;
  while (true) {
    auto item = stream.next(30s);
    REQUIRE(item);
    if (!item->has_value()) break;
    REQUIRE(text(**item) == std::to_string(read));
    ++read;
    // One more is counted while it is being tried.
    ahead_max = std::max(ahead_max, source.sent - read);
  }
  CHECK(read == 10'000);
  CHECK(ahead_max <= window + 1);
  CHECK(source.no_credit > 1);
  CHECK(s.wait_until([&] { return source.ended.load(); }));
  CHECK(*source.cancelled == 0);
}

EVERYWHERE("a reader that drops its stream early ends it: the server is told, and a send answers gone") {
  Source source{s, 1'000'000, [](auto&) {}};
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  {
    auto stream = client.open(bytes("go"));
    for (int i = 0; i < 100; ++i) {
      auto item = stream.next(30s);
      REQUIRE(item);
      REQUIRE(item->has_value());
    }
  }
  CHECK(s.wait_until([&] { return *source.cancelled == 1; }));
  CHECK(source.question.cancelled());
  CHECK(s.wait_until([&] { return source.gone.load(); }));
  CHECK(source.sent <= 100 + window + 1);
  CHECK_FALSE(source.ended);
}

EVERYWHERE("send_each sends a stream at its reader's pace and finishes it; a reader that leaves ends it") {
  const auto made = std::make_shared<std::atomic<int>>(0), ended = std::make_shared<std::atomic<int>>(0);
  auto server = s.out().serve(echo, [=](Request<Bytes> q, StreamResponder<Bytes> a) {
    q.on_cancel([=] { ++*ended; });
    std::move(a).send_each([=]() -> std::optional<std::vector<std::byte>> {
      const int next = *made;
      if (next == 5000) return std::nullopt;
      ++*made;
      const std::string number = std::to_string(next);
      const auto view = bytes(number);
      return std::vector<std::byte>(view.begin(), view.end());
    });
  }).value();
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  {
    auto stream = client.open(bytes("go"));
    REQUIRE(s.wait_until([&] { return *made == window + 1; }));  // one waits for room
    for (int read = 0; read < 5000; ++read) {
      auto item = stream.next(30s);
      REQUIRE(item);
      REQUIRE(item->has_value());
      REQUIRE(text(**item) == std::to_string(read));
    }
    auto end = stream.next(30s);
    REQUIRE(end);
    CHECK_FALSE(end->has_value());
  }
  CHECK(*ended == 0);
  *made = 0;
  { auto stream = client.open(bytes("go")); REQUIRE(stream.next(30s)); }
  CHECK(s.wait_until([&] { return *ended == 1; }));
  CHECK(*made <= 2 * window + 2);
}

EVERYWHERE("a plain request at a server that streams fails at its end and harms nothing else") {
  auto server = s.out().serve(echo, [](Request<Bytes>, StreamResponder<Bytes> a) { CHECK(a.finish()); }).value();
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  const auto reply = client.request(bytes("go")).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code() == ErrorCode::unsupported);
  auto stream = client.open(bytes("go"));
  const auto end = stream.next(30s);
  REQUIRE(end);
  CHECK_FALSE(end->has_value());
}

EVERYWHERE("a plain request at a server that streams fails at the first item, which answers gone") {
  const auto answered = std::make_shared<std::atomic<int>>(-1);
  auto server = s.out().serve(echo, [answered](Request<Bytes>, StreamResponder<Bytes> a) {
    const auto sent = a.send(bytes("item"));
    *answered = sent ? static_cast<int>(*sent) : -2;
  }).value();
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  const auto reply = client.request(bytes("go")).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code() == ErrorCode::unsupported);
  CHECK(reply.error().fate() == Fate::maybe_executed);
  CHECK(s.wait_until([&] { return *answered == static_cast<int>(Streamed::gone); }));
}

EVERYWHERE("a stream from a server that gives one reply has that one, then ends unsupported and says to use request()") {
  const auto cancelled = std::make_shared<std::atomic<int>>(0);
  auto server = s.out().serve(echo, [cancelled](Request<Bytes> q, Responder<Bytes> a) {
    q.on_cancel([cancelled] { ++*cancelled; });
    CHECK(a.reply(q.bytes()));
  }).value();
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("one"));
  const auto item = stream.next(30s);
  REQUIRE(item);
  REQUIRE(item->has_value());
  CHECK(text(**item) == "one");
  for (int i = 0; i < 2; ++i) {
    const auto end = stream.next(30s);
    REQUIRE_FALSE(end);
    CHECK(end.error().code() == ErrorCode::unsupported);
    CHECK(end.error().fate() == Fate::failed);
    CHECK(end.error().text().find("request()") != std::string_view::npos);
  }
  CHECK(client.request(bytes("again")).get());
  CHECK(*cancelled == 0);
}

EVERYWHERE("a contract that streams is not asked with request()") {
  constexpr Service<Bytes, Bytes> streaming{"stream.contract", {.streaming = true}};
  auto client = s.in().client(streaming).value();
  const auto reply = client.request(bytes("go")).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code() == ErrorCode::unsupported);
  CHECK(reply.error().fate() == Fate::not_started);
}

TEST_CASE("a stream whose reader keeps up leaves its worker to others between items, and goes on there") {
  auto pool = pool_executor({.threads = 1}).value();
  Bus bus = Bus::open().value();
  std::atomic<bool> beaten{false};
  std::atomic<int> late{-1};
  std::set<std::thread::id> workers;
  auto beat = bus.subscribe(Topic<Bytes>{"beat"}, [&](const Message<Bytes>&) { beaten = true; }, {.executor = pool}).value();
  auto beats = bus.publisher(Topic<Bytes>{"beat"}).value();
  auto server = bus.serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> out) {
    std::move(out).send_each([&, n = 0]() mutable -> std::optional<std::span<const std::byte>> {
      workers.insert(std::this_thread::get_id());
      if (n == 3) CHECK(beats.publish(bytes("x")));
      if (beaten && late < 0) late = n;
      return n++ == 60 ? std::nullopt : std::optional{bytes("item")};  // fewer than its reader has room for
    });
  }, {.executor = pool}).value();
  auto client = bus.client(echo).value();
  auto stream = client.open(bytes("go"));
  int items = 0;
  for (auto item = stream.next(30s); item && item->has_value(); item = stream.next(30s)) ++items;
  CHECK(items == 60);
  CHECK(late == 16);
  CHECK(workers.size() == 1);
}

EVERYWHERE("an error at the end of a stream comes behind its items") {
  Source source{s, 100, [](auto& a) { CHECK(a.fail(4, "broken")); }};
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  for (int i = 0; i < 100; ++i) {
    auto item = stream.next(30s);
    REQUIRE(item);
    REQUIRE(item->has_value());
    CHECK(text(**item) == std::to_string(i));
  }
  auto end = stream.next(30s);
  REQUIRE_FALSE(end);
  CHECK(code(end) == is(ErrorCode::app_error));
  CHECK(end.error().app_code() == 4);
  CHECK(end.error().fate() == Fate::failed);
}

EVERYWHERE("a stream that its server drops ends abandoned, one of no items ends well") {
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  {
    Source dropping{s, 3, [](auto& a) { StreamResponder<Bytes>{std::move(a)}; }};
    REQUIRE(client.wait_server(30s));
    auto stream = client.open(bytes("go"));
    for (int i = 0; i < 3; ++i) REQUIRE(stream.next(30s));
    auto end = stream.next(30s);
    REQUIRE_FALSE(end);
    CHECK(code(end) == is(ErrorCode::abandoned));
  }
  // The one before has to be gone before the next one is the only one.
  REQUIRE(s.wait_until([&] { return code(client.request(bytes("q"), {.timeout = 5ms}).get()) == is(ErrorCode::no_server); }));
  Source empty{s, 0, [](auto& a) { CHECK(a.finish()); }};
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  auto end = stream.next(30s);
  REQUIRE(end);
  CHECK_FALSE(end->has_value());
}

EVERYWHERE("a stream that nobody ends is timed_out at its deadline") {
  Source source{s, 3, [](auto&) {}};
  auto client = s.in().client(echo, {.timeout = 300ms}).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  for (int i = 0; i < 3; ++i) {
    auto item = stream.next(30s);
    REQUIRE(item);
    REQUIRE(item->has_value());
  }
  auto end = stream.next(30s);
  REQUIRE_FALSE(end);
  CHECK(code(end) == is(ErrorCode::timed_out));
  CHECK(end.error().fate() == Fate::maybe_executed);
}

EVERYWHERE("a coroutine reads a stream to its end") {
  Source source{s, 500, [](auto& a) { CHECK(a.finish()); }};
  auto client = s.in().client(echo, {.timeout = 10min}).value();
  REQUIRE(client.wait_server(30s));
  std::atomic<int> read{0}, ended{-1};
  auto body = [&]() -> Task<int> {
    auto stream = client.open(bytes("go"));
    while (true) {
      auto item = co_await stream.next();
      if (!item || !item->has_value()) {
        ended = code(item);
        co_return 0;
      }
      ++read;
    }
  };
  auto task = body();
  task.start();
  CHECK(s.wait_until([&] { return ended >= 0 && task.done(); }));
  CHECK(ended == 0);
  CHECK(read == 500);
}

EVERYWHERE("after no_credit writable is not called before the next item may be sent") {
  StreamResponder<Bytes> out;
  std::atomic<bool> entered{false}, is_writable{false};
  auto server = s.out().serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> a) { out = std::move(a), entered = true; }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto stream = client.open(bytes("go"));
  REQUIRE(s.wait_until([&] { return entered.load(); }));
  while (*out.send(bytes("x")) == Streamed::queued) {
  }
  out.writable([&] { is_writable = true; });
  CHECK((!is_writable || *out.send(bytes("x")) == Streamed::queued));
}
