/// P12 to P15 near and far: each outcome of the table, what travels with a request, and when it ends.
#include "setting.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

/// Answers as the question says; what it keeps is answered later or never.
struct EchoService {
  explicit EchoService(Setting& s, ServeOptions options = {})
      : server{s.out().serve(echo, [this](Request<Bytes> q, Responder<Bytes> a) { answer(std::move(q), std::move(a)); },
                             std::move(options)).value()} {}
  void answer(Request<Bytes> q, Responder<Bytes> a) {
    ++entered;
    if (text(q) == "fail") return static_cast<void>(a.fail(9, "no such thing"));
    if (text(q) == "throw") throw std::runtime_error{"thrown"};
    if (text(q) == "drop") return;
    if (text(q) != "keep") return static_cast<void>(a.reply(q));
    q.on_cancel([count = gave_up] { ++*count; });  // perhaps when this has ended
    const std::lock_guard lock{mutex};
    question = std::move(q);
    kept = std::move(a);
    keeps = true;
  }
  std::atomic<int> entered{0};
  const std::shared_ptr<std::atomic<int>> gave_up = std::make_shared<std::atomic<int>>(0);
  std::atomic<bool> keeps{false};
  std::mutex mutex;
  Request<Bytes> question;
  Responder<Bytes> kept;
  std::optional<Server> server;
};

struct Ends {
  std::atomic<int> count{0}, last{-1};
  std::atomic<Fate> fate{};
  auto catcher() {
    return [this](Result<Message<Bytes>> reply) {
      last = code(reply);
      if (!reply) fate = reply.error().fate();
      ++count;
    };
  }
};

/// `code` with its fate.
void check_end(const Result<Message<Bytes>>& reply, ErrorCode wanted, Fate fate) {
  REQUIRE_FALSE(reply);
  CHECK(code(reply) == is(wanted));
  CHECK(reply.error().fate() == fate);
}

struct Gate final : Interceptor {
  Verdict enter(const Crossing&) noexcept override { return Verdict::refuse(ErrorCode::denied); }
  void leave(const Crossing&, const Error*) noexcept override {}
};

}  // namespace

EVERYWHERE("P12 ok, app_error, handler_failed and abandoned: ran and ended") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto reply = client.request(bytes("q")).get();
  REQUIRE(reply);
  CHECK(text(*reply) == "q");
  auto failed = client.request(bytes("fail")).get();
  check_end(failed, ErrorCode::app_error, Fate::failed);
  CHECK(failed.error().app_code() == 9);
  CHECK(failed.error().message().find("no such thing") != std::string::npos);
  check_end(client.request(bytes("throw")).get(), ErrorCode::handler_failed, Fate::failed);
  check_end(client.request(bytes("drop")).get(), ErrorCode::abandoned, Fate::failed);
  CHECK(service.entered == 4);
  CHECK(s.out().stats().handler_exceptions == 1);
}

EVERYWHERE("P12 no_server comes at once when nobody serves, and again after a server has withdrawn") {
  auto nobody = s.in().client(Service<Bytes, Bytes>{"nobody"}).value();
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  check_end(nobody.request(bytes("q")).get(), ErrorCode::no_server, Fate::not_started);
  service.server.reset();
  CHECK(s.wait_until([&] { return code(client.request(bytes("q")).get()) == is(ErrorCode::no_server); }));
  service.server.emplace(s.out().serve(echo, [](const Request<Bytes>& q) { return q; }).value());
  REQUIRE(client.wait_server(30s));
  CHECK(client.request(bytes("q")).get());
}

EVERYWHERE("P15 a full server answers busy before its handler runs, and P12 a client over its pending limit too") {
  auto late = s.sleeper();
  EchoService service{s, {.queue = Queue{.messages = 2}, .executor = late}};
  auto client = s.in().client(echo).value();
  auto narrow = s.in().client(echo, {.pending = 1}).value();
  REQUIRE(client.wait_server(30s));
  Ends taken, refused;
  client.request(bytes("q")).then(taken.catcher());
  auto one = narrow.request(bytes("q"));
  check_end(narrow.request(bytes("q")).get(), ErrorCode::busy, Fate::not_started);
  REQUIRE(s.wait_until([&] { return service.server->stats().waiting == 2; }));
  client.request(bytes("q")).then(refused.catcher());
  CHECK(s.wait_until([&] { return refused.count == 1; }));
  CHECK(refused.last == is(ErrorCode::busy));
  CHECK(refused.fate == Fate::not_started);
  CHECK(service.entered == 0);
  Setting::run(*late);
  CHECK(s.wait_until([&] { return taken.count == 1; }));
  CHECK(taken.last == 0);
  CHECK(one.get());
  CHECK(service.entered == 2);
}

EVERYWHERE("P15 work whose deadline has passed is dropped before the handler; the request ended timed_out, once") {
  auto late = s.sleeper();
  EchoService service{s, {.executor = late}};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  Ends ends;
  client.request(bytes("q"), {.timeout = 50ms}).then(ends.catcher());
  REQUIRE(s.wait_until([&] { return service.server->stats().waiting == 1; }));
  CHECK(s.wait_until([&] { return ends.count == 1; }));
  s.pass(100ms);
  Setting::run(*late);
  CHECK(service.entered == 0);
  CHECK(ends.last == is(ErrorCode::timed_out));
  const SinkStats stats = service.server->stats();
  CHECK(stats.offered == stats.delivered + stats.dropped.total() + stats.waiting);
  CHECK(stats.waiting == 0);
  check_end(client.request(bytes("q"), {.timeout = 0ms}).get(), ErrorCode::expired, Fate::not_started);
  s.pass(20ms);
  CHECK(ends.count == 1);
}

EVERYWHERE("P12 no answer by the deadline is timed_out and maybe_executed; P14 a late reply goes nowhere") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  Ends ends;
  client.request(bytes("keep"), {.timeout = 200ms}).then(ends.catcher());
  REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
  CHECK(ends.count == 0);
  CHECK(s.wait_until([&] { return ends.count == 1; }));
  CHECK(ends.last == is(ErrorCode::timed_out));
  CHECK(ends.fate == Fate::maybe_executed);
  CHECK(s.wait_until([&] { return service.question.cancelled(); }));
  CHECK(service.kept.reply(bytes("late")));
  CHECK(service.question.cancelled());
  for (int i = 0; i < 20; ++i) CHECK(text(client.request(bytes(std::to_string(i))).get().value()) == std::to_string(i));
  CHECK(ends.count == 1);
}

EVERYWHERE("P12 a dropped Pending cancels, and the server learns it") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  {
    auto pending = client.request(bytes("keep"));
    REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
    CHECK(*service.gave_up == 0);
    CHECK_FALSE(service.question.cancelled());
  }
  CHECK(s.wait_until([&] { return *service.gave_up == 1; }));
  CHECK(service.question.cancelled());
  CHECK(service.kept.reply(bytes("late")));
  CHECK(service.question.cancelled());
  CHECK(client.request(bytes("q")).get());
  CHECK(*service.gave_up == 1);
  CHECK(s.in().stats().requests_pending == 0);
}

EVERYWHERE("a request that was answered is cancelled for who kept it: on_cancel of before is silent, of behind runs at once") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto pending = client.request(bytes("keep"));
  REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
  CHECK_FALSE(service.question.cancelled());
  CHECK(service.kept.reply(bytes("answer")));
  CHECK(text(pending.get().value()) == "answer");
  CHECK(service.question.cancelled());
  CHECK(service.question.remaining() == Duration{0});
  int behind = 0;
  service.question.on_cancel([&] { ++behind; });
  CHECK(behind == 1);
  CHECK(*service.gave_up == 0);
}

EVERYWHERE("P12 denied and too_large: not started") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  auto denied = s.in().client(echo, {.interceptors = {std::make_shared<Gate>()}}).value();
  REQUIRE(client.wait_server(30s));
  check_end(denied.request(bytes("q")).get(), ErrorCode::denied, Fate::not_started);
  check_end(client.request(bytes(std::string((std::size_t{16} << 20) + 1, 'x'))).get(), ErrorCode::too_large, Fate::not_started);
  CHECK(service.entered == 0);
}

EVERYWHERE("P12 close ends what has left with closed and maybe_executed, and later requests at once") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  Ends ends;
  client.request(bytes("keep"), {.timeout = 1h}).then(ends.catcher());
  REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
  CHECK(s.in().close(5s).complete);
  if (s.is_driven()) s.pass(10ms);
  CHECK(ends.count == 1);
  CHECK(ends.last == is(ErrorCode::closed));
  CHECK(ends.fate == Fate::maybe_executed);
  check_end(client.request(bytes("q")).get(), ErrorCode::closed, Fate::not_started);
}

EVERYWHERE("P14 the deadline travels as the time that remains") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto pending = client.request(bytes("keep"), {.timeout = 10min});
  REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
  CHECK(service.question.remaining() <= 10min);
  CHECK(service.question.remaining() > 9min);
}

EVERYWHERE("headers reach the server, and those of a forwarded message come back with the reply") {
  Headers headers;
  headers.tenant = "t";
  headers.priority = Priority::critical;
  headers.idempotency_key = "i";
  headers.entries = {{"a", "1"}};
  std::atomic<int> agree{0};
  auto server = s.out().serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
    if (q.headers() && *q.headers() == headers) ++agree;
    static_cast<void>(a.reply(q));
  }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto reply = client.request(bytes("q"), {.headers = &headers}).get();
  REQUIRE(reply);
  CHECK(agree == 1);
  CHECK(reply->peer() == s.sender());
  auto bare = client.request(bytes("q")).get();
  REQUIRE(bare);
  CHECK(agree == 1);
  CHECK(bare->headers() == nullptr);
}

EVERYWHERE("a deferred reply completes the request, and a second one is refused") {
  EchoService service{s};
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  Ends ends;
  client.request(bytes("keep")).then(ends.catcher());
  REQUIRE(s.wait_until([&] { return service.keeps.load(); }));
  std::atomic<int> again{-1};
  auto timer = s.out().after(20ms, [&] {
    CHECK(service.kept.reply(bytes("at last")));
    again = code(service.kept.reply(bytes("twice")));
  });
  CHECK(s.wait_until([&] { return ends.count == 1 && again >= 0; }));
  CHECK(ends.last == 0);
  CHECK(again == is(ErrorCode::closed));
}

EVERYWHERE("requests and replies of 1 B to 15 MiB cross whole") {
  auto server = s.out().serve(echo, [](const Request<Bytes>& q) { return q; },
                              {.queue = Queue{.messages = 8, .bytes = std::size_t{64} << 20}}).value();
  auto client = s.in().client(echo, {.timeout = 60s}).value();
  REQUIRE(client.wait_server(30s));
  for (const std::size_t size : {std::size_t{1}, std::size_t{4} << 10, (std::size_t{64} << 10) + 1, std::size_t{1} << 20, std::size_t{15} << 20}) {
    CAPTURE(size);
    std::string sent(size, '\0');
    for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<char>((i * 2654435761u) >> 13);
    auto reply = client.request(bytes(sent)).get();
    REQUIRE(reply);
    CHECK(text(*reply) == sent);
  }
}

EVERYWHERE("coroutines await replies, and many requests under way at once each get their own") {
  auto server = s.out().serve(echo, [](const Request<Bytes>& q) -> Task<Result<Message<Bytes>>> { co_return q; }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  std::vector<Pending<Bytes>> under_way;
  for (int i = 0; i < 500; ++i) under_way.push_back(client.request(bytes(std::to_string(i))));
  for (int i = 0; i < 500; ++i) {
    auto reply = under_way[static_cast<std::size_t>(i)].get();
    REQUIRE(reply);
    CHECK(text(*reply) == std::to_string(i));
  }
  std::atomic<int> ended{-1};
  auto body = [&]() -> Task<int> {
    auto reply = co_await client.request(bytes("last"));
    ended = code(reply);
    co_return 0;
  };
  auto task = body();
  task.start();
  CHECK(s.wait_until([&] { return ended >= 0 && task.done(); }));
  CHECK(ended == 0);
}

EVERYWHERE("P12 the text of an app_error is its detail, near and far alike") {
  auto server = s.out().serve(echo, [](Request<Bytes>, Responder<Bytes> a) { CHECK(a.fail(7, "no such thing")); }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  auto reply = client.request(bytes("q")).get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().detail() == "no such thing");
}

EVERYWHERE("P12 an error that a handler words itself keeps its text and its detail, near and far") {
  auto server = s.out().serve(echo, [](const Request<Bytes>&) -> Result<Message<Bytes>> {
    return Error{ErrorCode::app_error, "battery too low"}.with_app_code(42).with("robot r7");
  }).value();
  auto client = s.in().client(echo).value();
  REQUIRE(client.wait_server(30s));
  const auto reply = client.request(bytes("q")).get();
  REQUIRE(code(reply) == is(ErrorCode::app_error));
  CHECK(reply.error().app_code() == 42);
  CHECK(reply.error().message().find("battery too low") != std::string::npos);
  CHECK(reply.error().message().find("robot r7") != std::string::npos);
}
