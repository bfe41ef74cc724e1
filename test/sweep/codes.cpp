/// Every error code, through the public door.
#include <array>
#include <stdexcept>
#include <vector>

#include <midplane/json.hpp>
#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "market_midplane.hpp"
#include "rows.hpp"

using namespace std::chrono_literals;

namespace midplane::sweep {
namespace {

constexpr Topic<Bytes> news{"news"};
constexpr Service<Bytes, Bytes> work{"work"};
const std::vector<std::byte> question(8);

struct Refusing final : Interceptor {
  Verdict enter(const Crossing&) noexcept override { return Verdict::refuse(ErrorCode::denied); }
  void leave(const Crossing&, const Error*) noexcept override {}
};
struct Watching final : Interceptor {
  Verdict enter(const Crossing&) noexcept override { return Verdict::pass(); }
  void leave(const Crossing&, const Error* error) noexcept override {
    if (error) seen = *error;
  }
  std::optional<Error> seen;
};

/// A bus in virtual time with a server that keeps what it is asked.
struct Scene {
  explicit Scene(Limits limits = {})
      : bus{Bus::open({.name = "here", .executor = loop, .clock = clock, .random = seeded_random(1), .limits = limits}).value()} {}
  void serve(Function<void(Responder<Bytes>)> with) {
    server = bus.serve(work, [with = std::move(with)](Request<Bytes>, Responder<Bytes> responder) mutable {
      with(std::move(responder));
    }).value();
  }
  void keep() {
    serve([this](Responder<Bytes> responder) { kept.push_back(std::move(responder)); });
  }
  Error outcome(const RequestOptions& options = {}, ClientOptions client_options = {}) {
    auto client = bus.client(work, std::move(client_options)).value();
    return client.request(question, options).get().error();
  }
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  std::vector<Responder<Bytes>> kept;
  Bus bus;
  Server server;
};

void code(const Error& error) {
  row({"codes", std::string{name_of(error.code())}, std::string{name_of(error.fate())}, error.message()});
}

Error peer_lost() {
  Scene here;
  testing::FaultyNetwork network{1};
  auto there = Bus::open({.name = "there", .executor = here.loop, .clock = here.clock, .random = seeded_random(2)}).value();
  std::vector<Responder<Bytes>> kept;
  auto server = there.serve(work, [&](Request<Bytes>, Responder<Bytes> one) { kept.push_back(std::move(one)); }).value();
  there.attach(network.transport("there", {.listen = {"sim://there"}})).value();
  here.bus.attach(network.transport("here", {.peers = {"sim://there"}})).value();
  auto client = here.bus.client(work).value();
  client.wait_server(5s).value();
  auto pending = client.request(question);
  testing::run_through(*here.loop, *here.clock, 10ms);
  network.disconnect("here", "there");
  return pending.get().error();
}

Error no_memory() {
  Scene scene{{.message_bytes_max = 1 << 16, .payload_memory_bytes_max = 1 << 16}};
  auto kept = scene.bus.inbox(news).value();
  auto publisher = scene.bus.publisher(news).value();
  const std::vector<std::byte> large(30'000);
  while (true) {
    if (auto published = publisher.publish(large); !published) return published.error();
  }
}

Error would_deadlock() {
  Scene scene;
  scene.keep();
  std::optional<Error> error;
  auto client = scene.bus.client(work).value();
  const auto timer = scene.bus.after(1ms, [&] { error = client.request(question).get().error(); });
  testing::run_through(*scene.loop, *scene.clock, 10ms);
  return *error;
}

Error full() {
  Scene scene;
  auto inbox = scene.bus.inbox(news, {.queue = Queue{.messages = 1, .overflow = Overflow::refuse}}).value();
  auto publisher = scene.bus.publisher(news).value();
  static_cast<void>(publisher.publish(question).value());
  return publisher.publish(question).error();
}

Error cancelled() {
  Scene scene;
  scene.keep();
  const auto watching = std::make_shared<Watching>();
  auto client = scene.bus.client(work, {.interceptors = {watching}}).value();
  { auto dropped = client.request(question); }
  return *watching->seen;
}

Error schema_mismatch() {
  Scene scene;
  auto first = scene.bus.publisher(Topic<exchange::Tick>{"news"}).value();
  return scene.bus.publisher(Topic<exchange::Ask>{"news"}).error();
}

Error too_large() {
  Scene scene{{.message_bytes_max = 64}};
  return scene.bus.publisher(news).value().publish(std::vector<std::byte>(65)).error();
}

}  // namespace

void codes() {
  {
    Scene scene;
    scene.keep();
    auto client = scene.bus.client(work, {.pending = 1}).value();
    auto first = client.request(question);
    code(client.request(question).get().error());
  }
  code(Scene{}.outcome());
  {
    Scene scene;
    scene.keep();
    code(scene.outcome({.timeout = 0ns}));
    code(scene.outcome({}, {.interceptors = {std::make_shared<Refusing>()}}));
  }
  code(schema_mismatch());
  code(Scene{}.bus.publisher(Topic<exchange::Tick>{"news"}).value().publish(question).error());
  code(too_large());
  code(no_memory());
  {
    Scene scene;
    scene.serve([](Responder<Bytes> one) { static_cast<void>(one.fail(404, "no such thing")); });
    code(scene.outcome());
    scene.serve([](Responder<Bytes>) { throw std::runtime_error{"oops"}; });
    code(scene.outcome());
    scene.serve([](Responder<Bytes>) {});
    code(scene.outcome());
    scene.keep();
    code(scene.outcome({.timeout = 1s}));
  }
  code(cancelled());
  code(peer_lost());
  {
    Scene scene;
    auto publisher = scene.bus.publisher(news).value();
    scene.bus.close(1s);
    code(publisher.publish(question).error());
  }
  code(full());
  code(would_deadlock());
  code(Topic<Bytes>::named("a..b").error());
  code(Bus::open({.heartbeat = 1ms}).error());
  code(to_json(question, TypeInfo{"m.Tick", 7, question}).error());
  code(detail::open_bus({}, header_version + 1).error());
  code(to_json(question, TypeInfo{}).error());
}

}  // namespace midplane::sweep
