// Publishes what is written as JSON, by the schema that the bus hands out.

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "catalogue.hpp"
#include "commands.hpp"
#include "counts.hpp"
#include "files.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

struct Options {
  Where where;
  std::string topic;
  std::string json;
  std::string file;
  std::string type;
  std::uint64_t count = 1;
  std::string every = "0s";
  std::vector<std::string> headers;
  bool raw = false;
};

constexpr const char* own_address = "; a bus passes nothing on: name with --peer the address where the subscriber itself listens";

Headers headers_of(const Options& options) {
  Headers headers;
  for (const std::string& one : options.headers) {
    const std::size_t middle = one.find('=');
    if (middle == 0 || middle == std::string::npos) stop(Exit::usage, "--header: write NAME=VALUE, not " + shown(one));
    headers.entries.emplace_back(one.substr(0, middle), one.substr(middle + 1));
  }
  if (const auto valid = validate(headers); !valid) stop(Exit::usage, "--header: " + valid.error().message());
  return headers;
}

/// The type that the peers have for the topic.
std::shared_ptr<const TypeSchema> live_type(const Options& options, Session& session) {
  Catalogue catalogue{session};
  catalogue.refresh();
  const auto found = catalogue.topic(options.topic);
  if (!found && catalogue.service(options.topic))
    stop(Exit::nothing, options.topic + " is a service, not a topic: `midplane req`; published there: " + catalogue.topics_text());
  if (!found)
    stop(Exit::nothing, "nobody subscribes or publishes " + options.topic + "; subscribed there: " + catalogue.subscriptions_text() +
                            "; published: " + catalogue.topics_text() + own_address);
  if (found->type.fingerprint == 0)
    stop(Exit::nothing, "no bus knows a type for " + options.topic + ", only raw bytes: give --raw to send the text as it is, or "
                        "--schema FILE.bfbs");
  auto schema = catalogue.schema(found->peer, found->type);
  if (!schema) stop(Exit::answer, "no schema of " + found->type.name + " from " + found->peer + ": " + schema.error().message());
  return std::move(*schema);
}

/// What became of the messages: counted at the link, where they left.
struct Left {
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
};
Left left_of(const Bus& bus, std::string_view topic) {
  Left left;
  for (const SinkStats& sink : bus.stats().sinks) {
    if (sink.name != topic || sink.peer.empty()) continue;
    left.delivered += sink.delivered;
    left.dropped += sink.dropped.total();
  }
  return left;
}

class Pub {
 public:
  Pub(const Options& options, Signals& signals) : options_{options}, signals_{signals}, headers_{headers_of(options)} {}

  Exit run() {
    const auto topic = Topic<Bytes>::named(options_.topic);
    if (!topic) stop(Exit::usage, topic.error().message());
    const Duration every = duration_of(options_.every, "--every");
    if (options_.raw && !options_.file.empty()) stop(Exit::usage, "--raw and --schema exclude one another");
    if (!options_.type.empty() && options_.file.empty()) stop(Exit::usage, "--type chooses a table of the file that --schema names");
    if (options_.json == "-" && options_.count != 1) stop(Exit::usage, "with - each line is published once; --count goes with a JSON text");
    std::shared_ptr<const TypeSchema> type;
    if (!options_.file.empty()) type = std::make_shared<TypeSchema>(read_schema(options_.file, options_.type));
    session_ = Session::reach(options_.where);
    if (!type && !options_.raw) type = live_type(options_, *session_);
    std::vector<std::vector<std::byte>> payloads;
    if (options_.json != "-") {
      auto payload = payload_of(options_.json, type.get());
      if (!payload) stop(Exit::usage, payload.error().message() + "; nothing of it was published; " + how_to_see_the_type());
      payloads.push_back(std::move(*payload));
    }

    auto publisher = session_->bus().publisher(*topic, {.stamp = true, .far_wait = true});
    if (!publisher) stop(Exit::trouble, publisher.error().message());
    const auto matched = session_->patiently(session_->timeout(), "a subscription to " + options_.topic,
                                             [&](Duration duration) { return publisher->wait_matched(1, duration); });
    if (!matched) {
      Catalogue catalogue{*session_};
      catalogue.refresh();
      const std::string_view missing = matched.error().detail();
      stop(Exit::nothing, "nobody subscribes " + options_.topic + " after " + text_of(session_->timeout()) +
                              (missing.empty() ? "" : " (" + std::string{missing} + ")") +
                              "; nothing was published; subscribed there: " + catalogue.subscriptions_text() + own_address);
    }
    signals_.on_first([this] { bell_.failed({}, Error{ErrorCode::cancelled, "Ctrl-C"}); });
    if (options_.json == "-") {
      for (std::string line; !signals_.fired() && std::getline(std::cin, line);) {
        ++line_;
        if (line.empty()) continue;
        const auto payload = payload_of_line(line, type.get());
        if (!payload || !publish(*publisher, *payload, every)) break;
      }
    } else {
      for (std::uint64_t i = 0; i < options_.count && !signals_.fired(); ++i) {
        if (!publish(*publisher, payloads.front(), every)) break;
      }
    }
    return summary(type ? type->type : std::string{});
  }

 private:
  static Result<std::vector<std::byte>> payload_of(const std::string& text, const TypeSchema* type) {
    if (type) return from_json(text, type->info());
    const auto bytes = std::as_bytes(std::span{text});
    return std::vector<std::byte>{bytes.begin(), bytes.end()};
  }
  [[nodiscard]] std::string how_to_see_the_type() const { return "`midplane schema show " + options_.topic + "` shows the type"; }

  /// Nothing of one that is wrong: it ends the input, and what was published before is accounted for.
  std::optional<std::vector<std::byte>> payload_of_line(const std::string& line, const TypeSchema* type) {
    auto payload = payload_of(line, type);
    if (payload) return std::move(*payload);
    note("line " + std::to_string(line_) + " of the input: " + payload.error().message() + "; nothing of it and of what follows was published; " +
         how_to_see_the_type());
    malformed_ = true;
    return std::nullopt;
  }

  bool publish(Publisher<Bytes>& publisher, const std::vector<std::byte>& payload, Duration every) {
    if (published_ > 0 && every > Duration::zero()) bell_.wait(every, [&] { return signals_.fired(); });
    if (signals_.fired()) return false;
    PublishOptions how;
    if (!headers_.entries.empty()) how.headers = &headers_;
    const auto done = publisher.publish(std::span<const std::byte>{payload}, how);
    if (!done) return note("not published: " + done.error().message()), failed_ = true, false;
    ++published_;
    sum_.sinks += done->sinks;
    sum_.dropped += done->dropped;
    return true;
  }

  Exit summary(const std::string& type) {
    const auto until = std::chrono::steady_clock::now() + session_->timeout();
    const auto is_over = [&] { return signals_.fired() || std::chrono::steady_clock::now() >= until; };
    constexpr Duration slice = std::chrono::milliseconds{100};  // so that Ctrl-C is heard
    while (!session_->bus().drain(slice).complete && !is_over()) continue;
    // The counters follow what has left by a moment.
    Left left;
    do left = left_of(session_->bus(), options_.topic);
    while (left.delivered + left.dropped < sum_.sinks && !bell_.wait(std::chrono::milliseconds{5}, is_over));
    session_->leave_at_once();
    const std::uint64_t lost = std::max<std::uint64_t>(left.dropped, sum_.dropped);
    const std::uint64_t ended = left.delivered + lost;
    const std::uint64_t unknown = sum_.sinks > ended ? sum_.sinks - ended : 0;  // they wait here for room at the peer, or are on their way
    if (options_.where.json) {
      JsonLine line;
      line.text("topic", options_.topic);
      if (type.empty()) line.raw("type", "null");
      else line.text("type", type);
      std::cout << line.number("published", published_).number("offered", sum_.sinks).number("sent", left.delivered)
                       .number("lost", lost).number("unknown", unknown);
    } else {
      std::cout << "published " << plural(published_, "message") << " on " << options_.topic << (type.empty() ? "" : " (" + type + ")")
                << ": deliveries to peers " << left.delivered << ", lost " << lost;
      if (unknown > 0) std::cout << ", not known to have arrived " << unknown;
      std::cout << '\n';
    }
    if (unknown > 0)
      note("a peer has not taken " + plural(unknown, "message") + (signals_.fired() ? " so far" : " within " + text_of(session_->timeout())) +
           ": its subscriber may be slow and its queue full; `midplane doctor` looks, --timeout waits longer");
    if (malformed_) return Exit::usage;
    if (failed_ || lost > 0 || unknown > 0) return Exit::answer;
    return published_ > 0 ? Exit::done : Exit::nothing;
  }

  const Options& options_;
  Signals& signals_;
  const Headers headers_;
  Hearsay bell_;
  std::unique_ptr<Session> session_;
  std::uint64_t published_ = 0, line_ = 0;
  bool malformed_ = false;  ///< a line of the input
  Published sum_;
  bool failed_ = false;
};

}  // namespace

void add_pub(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("pub", "publish a message written as JSON, checked against the type that the buses have");
  const auto options = std::make_shared<Options>();
  command->add_option("TOPIC", options->topic, "the topic's whole name")->required();
  command->add_option("JSON", options->json, "an object with the type's fields; '-': one from each line of stdin")->required();
  command->add_option("-n,--count", options->count, "publish it so many times")->check(at_least_one());
  command->add_option("--every", options->every, "time between two messages")->capture_default_str();
  command->add_option("--header", options->headers, "NAME=VALUE beside the message; may be repeated")->expected(1)->take_all();
  command->add_option("--schema", options->file, "a binary schema (.bfbs) to write by, when no bus knows the type");
  command->add_option("--type", options->type, "with --schema: which of its tables; otherwise its root type");
  command->add_flag("--raw", options->raw, "publish the text itself, as raw bytes");
  add_where(*command, options->where);
  command->footer("Examples:\n  midplane pub host.db1.pace '{\"interval_ms\":100}' --peer tcp://127.0.0.1:7400\n"
                  "  midplane pub app.events - < events.jsonl\n\nWaits until somebody subscribes, at most the timeout; and at the end until "
                  "each message\nis taken by the peer's bus or lost, the timeout again at most. Ends with 1 when one was lost or is not known to "
                  "have arrived.\nA queue that was full there already may lose it still, and counts it: `midplane ls`, LOST.");
  command->callback([&chosen, options] { chosen.run = [options](Signals& signals) { return Pub{*options, signals}.run(); }; });
}

}  // namespace midplane::tool
