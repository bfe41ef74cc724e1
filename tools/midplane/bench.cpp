// How long a message takes, measured as its user feels it: messages are sent at their times whether or not the ones
// before have arrived, and each latency counts from the time at which its message should have been sent.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <thread>

#include <midplane/bus.hpp>
#include <midplane/zmq.hpp>

#include "commands.hpp"
#include "histogram.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

using std::chrono::steady_clock;

struct Options {
  std::string path = "both";
  std::uint64_t rate = 10'000;
  std::string duration = "2s";
  std::size_t size = 64;
  bool json = false;
};

struct Outcome {
  std::string path;
  std::uint64_t sent = 0, received = 0, refused = 0;
  double seconds = 0;
  Histogram latency;
  Histogram behind;  ///< how late the sender itself was
  std::map<std::string, std::uint64_t> dropped;
};

std::int64_t now_ns() noexcept { return steady_clock::now().time_since_epoch().count(); }

/// Close to the time it waits by the clock: a sleep of the system is too coarse.
void wait_until(std::int64_t at) {
  constexpr std::int64_t coarse = 200'000;
  if (const std::int64_t left = at - now_ns(); left > coarse) std::this_thread::sleep_for(Duration{left - coarse});
  while (now_ns() < at) std::this_thread::yield();
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) stop(Exit::trouble, std::string{what} + ": " + result.error().message());
  return std::move(*result);
}

void add_drops(Outcome& outcome, const Stats& stats) {
  for (const SinkStats& sink : stats.sinks) {
    for (std::size_t i = 0; i < drop_reasons; ++i) {
      if (sink.dropped.by_reason[i] != 0) outcome.dropped[std::string{name_of(static_cast<DropReason>(i))}] += sink.dropped.by_reason[i];
    }
  }
}

Outcome measure(const Options& options, bool tcp, Signals& signals) {
  const Duration lasts = duration_of(options.duration, "--for");
  Outcome outcome;
  outcome.path = tcp ? "tcp loopback" : "in process";
  Bus here = must(Bus::open({.name = "bench-a"}), "no bus");
  std::unique_ptr<Bus> there;
  if (tcp) {
    there = std::make_unique<Bus>(must(Bus::open({.name = "bench-b"}), "no bus"));
    if (auto up = here.attach(zmq::transport({.listen = {"tcp://127.0.0.1:0"}})); !up) stop(Exit::trouble, "can not listen: " + up.error().message());
    if (auto up = there->attach(zmq::transport({.peers = here.listening()})); !up) stop(Exit::trouble, "can not dial: " + up.error().message());
  }
  Bus& receiver = there ? *there : here;
  const auto topic = must(Topic<Bytes>::named("bench.open_loop"), "no topic");
  Queue queue{.messages = 65'536, .bytes = std::size_t{64} << 20};
  auto subscription = must(receiver.subscribe(topic, [&](const Message<Bytes>& message) {
    std::int64_t intended = 0;
    std::memcpy(&intended, message.bytes().data(), sizeof intended);
    outcome.latency.add(now_ns() - intended);
  }, {.queue = queue}), "no subscription");
  auto publisher = must(here.publisher(topic, {.one_thread = true}), "no publisher");
  if (auto matched = publisher.wait_matched(1, std::chrono::seconds{5}); !matched)
    stop(Exit::trouble, "the two ends did not meet: " + matched.error().message());

  std::vector<std::byte> payload(options.size);
  const std::int64_t started = now_ns() + 1'000'000;
  const auto count = static_cast<std::uint64_t>(static_cast<double>(options.rate) * std::chrono::duration<double>(lasts).count());
  for (std::uint64_t i = 0; i < count && !signals.fired(); ++i) {
    const std::int64_t intended = started + static_cast<std::int64_t>(static_cast<double>(i) * 1e9 / static_cast<double>(options.rate));
    wait_until(intended);
    outcome.behind.add(now_ns() - intended);
    std::memcpy(payload.data(), &intended, sizeof intended);
    const auto done = publisher.publish(std::span<const std::byte>{payload});
    ++outcome.sent;
    if (!done) ++outcome.refused;
  }
  outcome.seconds = static_cast<double>(now_ns() - started) / 1e9;
  static_cast<void>(here.drain(std::chrono::seconds{10}));
  if (there) static_cast<void>(there->drain(std::chrono::seconds{10}));
  add_drops(outcome, here.stats());
  if (there) add_drops(outcome, there->stats());
  subscription = {};  // from here on no handler runs
  outcome.received = outcome.latency.count();
  return outcome;
}

std::string us(std::uint64_t ns) { return text_of(Duration{static_cast<std::int64_t>(ns)}); }

void show(const std::vector<Outcome>& outcomes, const Options& options) {
  std::cout << "open loop: " << options.rate << " messages/s of " << options.size << " bytes for " << options.duration
            << "; latency from the time a message should have been sent to its handler\n\n";
  Table table{{"PATH", ">SENT", ">RECEIVED", ">LOST", ">PER SECOND", ">p50", ">p90", ">p99", ">p99.9", ">MAX", ">SENDER LATE p99"}};
  for (const Outcome& one : outcomes) {
    table.add({one.path, std::to_string(one.sent), std::to_string(one.received), std::to_string(one.sent - one.received),
               fixed(static_cast<double>(one.sent) / one.seconds, 0), us(one.latency.quantile(0.5)), us(one.latency.quantile(0.9)),
               us(one.latency.quantile(0.99)), us(one.latency.quantile(0.999)), us(one.latency.max()), us(one.behind.quantile(0.99))});
  }
  std::cout << table;
  for (const Outcome& one : outcomes) {
    std::cout << '\n' << one.path << '\n';
    Table rows{{">UP TO", ">MESSAGES", ">SHARE", ""}};
    for (const Histogram::Row& row : one.latency.rows()) {
      const double share = static_cast<double>(row.count) / static_cast<double>(std::max<std::uint64_t>(1, one.received));
      rows.add({us(row.up_to), std::to_string(row.count), fixed(100 * share, 2) + " %", std::string(static_cast<std::size_t>(share * 50 + 0.5), '#')});
    }
    std::cout << rows;
    for (const auto& [reason, lost] : one.dropped) std::cout << "lost " << lost << ": " << reason << '\n';
    if (one.refused > 0) std::cout << "not published " << one.refused << ": publish answered an error\n";
  }
}

void show_json(const Outcome& one, const Options& options) {
  std::string rows;
  for (const Histogram::Row& row : one.latency.rows())
    rows.append(rows.empty() ? "" : ",").append(JsonLine{}.number("up_to_ns", row.up_to).number("count", row.count).str());
  JsonLine dropped;
  for (const auto& [reason, lost] : one.dropped) dropped.number(reason, lost);
  JsonLine line;
  line.text("path", one.path).number("rate", options.rate).number("bytes", options.size).real("seconds", one.seconds);
  line.number("sent", one.sent).number("received", one.received).number("lost", one.sent - one.received).raw("dropped", dropped.str());
  for (const auto& [name, part] : {std::pair{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}})
    line.number(name, one.latency.quantile(part));
  std::cout << line.number("max_ns", one.latency.max()).number("sender_late_p99_ns", one.behind.quantile(0.99)).raw("histogram", "[" + rows + "]");
}

Exit run(const Options& options, Signals& signals) {
  signals.on_first([] {});
  std::vector<Outcome> outcomes;
  for (const bool tcp : {false, true}) {
    if (options.path == (tcp ? "inproc" : "tcp") || signals.fired()) continue;
    outcomes.push_back(measure(options, tcp, signals));
  }
  if (options.json) {
    for (const Outcome& one : outcomes) show_json(one, options);
  } else {
    show(outcomes, options);
  }
  for (const Outcome& one : outcomes) {
    if (one.behind.quantile(0.99) > 1'000'000)
      note(one.path + ": the sender itself was late; this machine does not keep this rate, so read the latencies as those of an overload");
    if (one.received == 0) return Exit::nothing;
  }
  return Exit::done;
}

}  // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("bench", "latency at a fixed rate on this machine, in process and over tcp, as a histogram");
  const auto options = std::make_shared<Options>();
  command->add_option("--path", options->path, "inproc, tcp or both")->check(CLI::IsMember({"inproc", "tcp", "both"}))->capture_default_str();
  command->add_option("--rate", options->rate, "messages per second")->check(CLI::Range(1, 10'000'000))->capture_default_str();
  command->add_option("--for", options->duration, "how long, per path")->capture_default_str();
  command->add_option("--size", options->size, "bytes of a payload")->check(CLI::Range(8, 16 << 20))->capture_default_str();
  command->add_flag("--json", options->json, "one JSON object a path, for programs");
  command->footer("Examples:\n  midplane bench\n  midplane bench --path tcp --rate 50000 --size 1024 --for 10s\n\n"
                  "Losses are counted and named. No other bus is asked.");
  command->callback([&chosen, options] { chosen.run = [options](Signals& signals) { return run(*options, signals); }; });
}

}  // namespace midplane::tool
