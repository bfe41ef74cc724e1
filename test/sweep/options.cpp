/// Every option of the public headers at and beyond its range.
#include <array>
#include <string>
#include <vector>

#include <midplane/json.hpp>
#include <midplane/midplane.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "market_midplane.hpp"
#include "rows.hpp"

using namespace std::chrono_literals;

namespace midplane::sweep {
namespace {

constexpr Topic<Bytes> news{"news"};
constexpr Service<Bytes, Bytes> work{"work"};
const std::vector<std::byte> payload(8);

struct Nothing final : LogSink, EventSink, Interceptor, Balancer {
  void log(const LogRecord&) noexcept override {}
  void event(const Event&) noexcept override {}
  Verdict enter(const Crossing&) noexcept override { return Verdict::pass(); }
  void leave(const Crossing&, const Error*) noexcept override {}
  std::size_t pick(std::span<const Candidate>) noexcept override { return none; }
};
const auto nothing = std::make_shared<Nothing>();

void option(const char* name, const char* value, const std::string& answer) { row({"options", name, value, answer}); }
template <class T>
void option(const char* name, const char* value, const Result<T>& result) {
  option(name, value, answer(result));
}

BusOptions bus() { return {.executor = manual_executor()}; }
Bus opened() { return Bus::open(bus()).value(); }

template <class Change>
void opens(const char* name, const char* value, Change change) {
  BusOptions options = bus();
  change(options);
  option(name, value, Bus::open(std::move(options)));
}

void of_bus() {
  opens("BusOptions::name", "\"a b\"", [](auto& o) { o.name = "a b"; });
  opens("BusOptions::name", "\"a.b\"", [](auto& o) { o.name = "a.b"; });
  opens("BusOptions::name", "256 letters", [](auto& o) { o.name = std::string(256, 'a'); });
  opens("BusOptions::name", "\"_midplane\"", [](auto& o) { o.name = "_midplane"; });
  opens("BusOptions::executor", "null", [](auto& o) { o.executor = nullptr; });
  opens("BusOptions::clock", "null", [](auto& o) { o.clock = nullptr; });
  opens("BusOptions::random", "null", [](auto& o) { o.random = nullptr; });
  opens("BusOptions::memory", "null", [](auto& o) { o.memory = nullptr; });
  opens("BusOptions::limits", "the defaults", [](auto& o) { o.limits = {}; });
  opens("Limits::message_bytes_max", "63", [](auto& o) { o.limits.message_bytes_max = 63; });
  opens("Limits::message_bytes_max", "1 GiB + 1", [](auto& o) { o.limits.message_bytes_max = (1 << 30) + 1; });
  opens("Limits::payload_memory_bytes_max", "65535", [](auto& o) { o.limits.payload_memory_bytes_max = 65535; });
  opens("BusOptions::heartbeat", "0", [](auto& o) { o.heartbeat = 0ns; });
  opens("BusOptions::heartbeat", "9 ms", [](auto& o) { o.heartbeat = 9ms; });
  opens("BusOptions::heartbeat", "61 s", [](auto& o) { o.heartbeat = 61s; });
  opens("BusOptions::redial_max", "49 ms", [](auto& o) { o.redial_max = 49ms; });
  opens("BusOptions::redial_max", "61 min", [](auto& o) { o.redial_max = 61min; });
  opens("BusOptions::wait", "no Wait", [](auto& o) { o.wait = Wait{9}; });
  opens("BusOptions::log", "any", [](auto& o) { o.log = nothing; });
  opens("BusOptions::event", "any", [](auto& o) { o.event = nothing; });
  opens("BusOptions::thread_started", "any", [](auto& o) { o.thread_started = [](std::size_t) {}; });
  opens("BusOptions::interceptors", "any", [](auto& o) { o.interceptors = {nothing}; });
  opens("BusOptions::interceptors", "a null one", [](auto& o) { o.interceptors = {nothing, nullptr}; });
  option("PoolOptions::threads", "1025", pool_executor({.threads = 1025}));
  option("PoolOptions::wait", "no Wait", pool_executor({.wait = Wait{9}}));
  option("PoolOptions::clock", "null", pool_executor({.threads = 1, .clock = nullptr}));
  option("PoolOptions::thread_started", "any", pool_executor({.threads = 1, .thread_started = [](std::size_t) {}}));
}

Result<Subscription> subscribe(SubscribeOptions options) {
  return opened().subscribe(news, [](const Message<Bytes>&) {}, std::move(options));
}

void of_subscriptions() {
  option("SubscribeOptions::queue", "unset", subscribe({}));
  option("Queue::messages", "0", subscribe({.queue = Queue{.messages = 0}}));
  option("Queue::messages", "8388609", subscribe({.queue = Queue{.messages = 8388609}}));
  option("Queue::bytes", "0", subscribe({.queue = Queue{.bytes = 0}}));
  option("Queue::bytes", "512 GiB + 1", subscribe({.queue = Queue{.bytes = (std::size_t{512} << 30) + 1}}));
  option("Queue::overflow", "no Overflow", subscribe({.queue = Queue{.overflow = Overflow{9}}}));
  option("Queue::block_for", "-1 ns", subscribe({.queue = Queue{.block_for = -1ns}}));
  option("SubscribeOptions::group", "\"a b\"", subscribe({.group = "a b"}));
  option("SubscribeOptions::group", "\"a.*\"", subscribe({.group = "a.*"}));
  option("SubscribeOptions::group", "\"a\", and overflow refuse", subscribe({.queue = {.overflow = Overflow::refuse}, .group = "a"}));
  option("SubscribeOptions::group", "\"a\", and overflow block", subscribe({.queue = {.overflow = Overflow::block}, .group = "a"}));
  option("SubscribeOptions::executor", "null", subscribe({.executor = nullptr}));
  option("SubscribeOptions::concurrency", "0", subscribe({.concurrency = 0}));
  option("SubscribeOptions::concurrency", "1025", subscribe({.concurrency = 1025}));
  option("SubscribeOptions::on_event", "any", subscribe({.on_event = [](const SubscriptionEvent&) {}}));
}

template <class T = Bytes>
Result<Published> publish(PublisherOptions options, PublishOptions how = {}) {
  auto bus = opened();
  return bus.publisher(news, options).value().publish(payload, how);
}

void of_publishers() {
  option("PublisherOptions::retain", "on a topic", publish({.retain = true}));
  option("PublisherOptions::retain", "on an AnyPublisher", opened().publisher({.retain = true}));
  option("PublisherOptions::one_thread", "any", publish({.one_thread = true}));
  option("PublisherOptions::stamp", "any", publish({.stamp = true}));
  option("PublisherOptions::far_wait", "any", publish({.far_wait = true}));
  const Headers many{.entries = std::vector<std::pair<std::string, std::string>>(17)};
  const Headers large{.tenant = std::string(4097, 'x')};
  option("PublishOptions::headers", "17 entries", publish({}, {.headers = &many}));
  option("PublishOptions::headers", "4097 bytes", publish({}, {.headers = &large}));
  option("PublishOptions::ttl", "-1 ns", publish({}, {.ttl = -1ns}));
}

Result<Client<Bytes, Bytes>> client(ClientOptions options) { return opened().client(work, std::move(options)); }
std::string ask(const RequestOptions& options) {
  auto bus = opened();
  auto server = bus.serve(work, [](const Request<Bytes>&) { return payload; }).value();
  return answer(bus.client(work).value().request(payload, options).get());
}
Result<Server> serve(ServeOptions options) {
  return opened().serve(work, [](const Request<Bytes>&) { return payload; }, std::move(options));
}

void of_services() {
  option("ClientOptions::timeout", "0", client({.timeout = 0ns}));
  option("ClientOptions::timeout", "-1 ns", client({.timeout = -1ns}));
  option("ClientOptions::balancer", "null", client({.balancer = nullptr}));
  option("ClientOptions::interceptors", "a null one", client({.interceptors = {nullptr}}));
  option("ClientOptions::pending", "0", client({.pending = 0}));
  option("ClientOptions::pending", "65537", client({.pending = 65537}));
  option("ClientOptions::wait_for_peers", "any", client({.wait_for_peers = false}));
  const Headers many{.entries = std::vector<std::pair<std::string, std::string>>(17)};
  option("RequestOptions::timeout", "0", ask({.timeout = 0ns}));
  option("RequestOptions::timeout", "-1 ns", ask({.timeout = -1ns}));
  option("RequestOptions::headers", "17 entries", ask({.headers = &many}));
  option("ServeOptions::queue", "of 0 messages", serve({.queue = Queue{.messages = 0}}));
  option("ServeOptions::queue", "of 0 bytes", serve({.queue = Queue{.bytes = 0}}));
  option("ServeOptions::executor", "null", serve({.executor = nullptr}));
  option("ServeOptions::concurrency", "0", serve({.concurrency = 0}));
  option("ServeOptions::concurrency", "1025", serve({.concurrency = 1025}));
}

void of_json() {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(exchange::CreateTickDirect(builder, "ACME", 1));
  const std::span<const std::byte> tick{reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
  const TypeInfo& type = SchemaOf<exchange::Tick>::info();
  option("JsonOptions::pretty", "any", to_json(tick, type, {.pretty = true}));
  option("JsonOptions::bytes_max", "0", to_json(tick, type, {.bytes_max = 0}));
}

}  // namespace

void options() {
  of_bus();
  of_subscriptions();
  of_publishers();
  of_services();
  of_json();
}

}  // namespace midplane::sweep
