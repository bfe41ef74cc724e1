/// Many replies to one request, in one process.
#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("a stream gives 64 credits, then no_credit until the reader makes room, and ends once") {
  World world;
  std::optional<StreamResponder<Bytes>> out;
  auto server = world.bus.serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> a) { out = std::move(a); }).value();
  auto stream = world.bus.client(echo).value().open(bytes("q"));
  world.settle();
  REQUIRE(out);
  for (int i = 0; i < 64; ++i) CHECK(*out->send(bytes("i")) == Streamed::queued);
  CHECK(*out->send(bytes("i")) == Streamed::no_credit);
  int writable = 0;
  out->writable([&] { ++writable; });
  CHECK(writable == 0);
  auto first = stream.next(1s);
  REQUIRE(first);
  CHECK(first->has_value());
  CHECK(writable == 1);
  CHECK(*out->send(bytes("i")) == Streamed::queued);
  SUBCASE("finish") { CHECK(out->finish()); }
  SUBCASE("fail") { CHECK(out->fail(4, "broken")); }
  SUBCASE("abandon") { out.reset(); }
  const int end = !out ? 2 : code(out->finish()) == is(ErrorCode::closed) ? 1 : 0;
  int items = 0;
  while (true) {
    auto item = stream.next(1s);
    if (item && item->has_value()) {
      ++items;
      continue;
    }
    if (end == 2) CHECK(code(item) == is(ErrorCode::abandoned));
    break;
  }
  CHECK(items == 64);
}

TEST_CASE("a stream dropped early answers gone") {
  World world;
  std::optional<StreamResponder<Bytes>> out;
  auto server = world.bus.serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> a) { out = std::move(a); }).value();
  {
    auto stream = world.bus.client(echo).value().open(bytes("q"));
    world.settle();
  }
  CHECK(*out->send(bytes("i")) == Streamed::gone);
}

TEST_CASE("several items sent at once reach a coroutine that reads the stream, in order") {
  World world;
  auto server = world.bus.serve(echo, [](Request<Bytes>, StreamResponder<Bytes> a) {
    for (int i = 0; i < 5; ++i) CHECK(*a.send(bytes(std::to_string(i))) == Streamed::queued);
    CHECK(a.finish());
  }).value();
  std::string read;
  auto client = world.bus.client(echo).value();
  auto body = [&]() -> Task<int> {
    auto stream = client.open(bytes("q"));
    while (true) {
      auto item = co_await stream.next();
      if (!item || !item->has_value()) co_return code(item);
      read += text(**item);
    }
  };
  auto task = body();
  task.start();
  world.settle();
  CHECK(task.done());
  CHECK(read == "01234");
}

TEST_CASE("a stream that is finished behind no_credit ends well, without the item that was not taken") {
  World world;
  constexpr Service<Bytes, Bytes> items{"items"};
  int queued = 0;
  auto server = world.bus.serve(items, [&](Request<Bytes>, StreamResponder<Bytes> out) {
                           while (*out.send(bytes("x")) == Streamed::queued) ++queued;
                           CHECK(out.finish());
                         }).value();
  auto stream = world.bus.client(items).value().open(bytes("q"));
  world.settle();
  int came = 0;
  auto item = stream.next(0s);
  for (; item && item->has_value(); item = stream.next(0s)) ++came;
  CHECK(item);
  CHECK(came == 64);
  CHECK(queued == came);
}

TEST_CASE("what gives the items of send_each may throw at any of them: the reader is told handler_failed, the log names the service") {
  // It is told by a worker that has answered the reader already.
  struct Failures final : LogSink {
    void log(const LogRecord& record) noexcept override {
      if (record.code != "bus.handler_failed") return;
      for (const LogField& field : record.fields) line += std::string{field.key} + '=' + std::string{field.value} + ' ';
      told.count_down();
    }
    std::string line;
    std::latch told{1};
  };
  for (const int good : {0, 5, 20, 100}) {
    CAPTURE(good);
    const auto log = std::make_shared<Failures>();
    Bus bus = Bus::open({.executor = pool_executor({.threads = 2}).value(), .log = log}).value();
    auto server = bus.serve(echo, [&](Request<Bytes>, StreamResponder<Bytes> out) {
      std::move(out).send_each([left = good]() mutable -> std::optional<std::span<const std::byte>> {
        if (left-- == 0) throw std::runtime_error{"no more"};
        return bytes("item");
      });
    }).value();
    auto stream = bus.client(echo).value().open(bytes("q"));
    int items = 0;
    auto item = stream.next(30s);
    for (; item && item->has_value(); item = stream.next(30s)) ++items;
    CHECK(items == good);
    CHECK(code(item) == is(ErrorCode::handler_failed));
    log->told.wait();
    CHECK(log->line == "name=echo what=no more ");
  }
}
