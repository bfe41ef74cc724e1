// Shows what is published, whatever its types are.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "commands.hpp"
#include "counts.hpp"
#include "decoder.hpp"
#include "output.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

using std::chrono::steady_clock;
constexpr Duration slice = std::chrono::milliseconds{100};  // how late Ctrl-C and the end may be noticed

struct Options {
  Where where;
  std::string pattern;
  std::uint64_t count = 0;
  std::string duration;
  bool rate = false;
  bool raw = false;
  bool hex = false;
};

struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t missed = 0;
  std::set<std::string> peers{};  ///< whom it comes from
};

class Sub {
 public:
  Sub(const Options& options, Session& session, const Pattern<Bytes>& pattern, Signals& signals)
      : options_{options}, session_{session}, signals_{signals}, decoder_{session}, pattern_{pattern.text()},
        several_{session.peers().size() > 1} {
    // Roomy, so that a burst is not lost while its schema is asked for.
    auto inbox = session.bus().inbox(pattern, {.queue = Queue{.messages = 65'536, .bytes = std::size_t{64} << 20}});
    if (!inbox) stop(Exit::trouble, inbox.error().message());
    inbox_ = std::move(*inbox);
  }

  Exit run() {
    const auto confirmed = session_.patiently(session_.timeout(), "the peers to confirm the subscription",
                                              [&](Duration duration) { return inbox_.wait_confirmed(duration); });
    if (!confirmed) note("not every peer has confirmed the subscription: " + confirmed.error().message());
    signals_.on_first([] {});
    started_ = second_ = steady_clock::now();
    const auto end = options_.duration.empty() ? steady_clock::time_point::max() : started_ + duration_of(options_.duration, "--for");
    bool waits = false;
    while (!signals_.fired() && !is_enough()) {
      const auto now = steady_clock::now();
      if (now >= end) break;
      if (!std::cout) write_out();
      if (options_.rate && now - second_ >= std::chrono::seconds{1}) show_rates(now);
      if (!waits && sum_.messages == 0 && now - started_ >= std::chrono::seconds{2}) {
        waits = true;
        note("waiting for messages on " + pattern_ + " ..." + why_nothing());
      }
      auto item = inbox_.try_take();
      if (!item) {
        write_out();
        auto taken = inbox_.take(std::min<Duration>(slice, end - now));
        if (!taken && taken.error().code() != ErrorCode::timed_out) stop(Exit::trouble, taken.error().message());
        if (taken) item = std::move(*taken);
      }
      if (!item) continue;
      if (const auto* message = std::get_if<Message<Bytes>>(&*item)) show(*message);
      else show(std::get<SubscriptionEvent>(*item));
    }
    return summary();
  }

 private:
  [[nodiscard]] bool is_enough() const noexcept { return options_.count != 0 && sum_.messages >= options_.count; }

  void show(const Message<Bytes>& message) {
    const std::string topic{message.topic()};
    for (Traffic* traffic : {&sum_, &topics_[topic], &lately_[topic]}) {
      ++traffic->messages;
      traffic->bytes += message.bytes().size();
    }
    if (options_.rate) topics_[topic].peers.emplace(message.peer());
    if (options_.rate) return;
    if (options_.raw) {
      std::cout.write(letters(message.bytes()).data(), static_cast<std::streamsize>(message.bytes().size()));
      return;
    }
    const auto text = options_.hex ? Decoder::Text{} : decoder_.decode(message);
    if (options_.where.json) return show_json(message, text);
    if (several_) std::cout << message.peer() << "  ";
    std::cout << topic << (message.retained() ? " (retained)  " : "  ");
    if (options_.hex) std::cout << message.bytes().size() << " bytes\n" << hex_rows(message.bytes());
    else if (!text.json.empty()) std::cout << text.json << '\n';
    else if (!text.type.empty()) std::cout << text.why << '\n' << hex_rows(message.bytes());
    else if (is_text(letters(message.bytes()))) std::cout << quoted(letters(message.bytes())) << '\n';
    else std::cout << message.bytes().size() << " bytes\n" << hex_rows(message.bytes());
  }

  void show_json(const Message<Bytes>& message, const Decoder::Text& text) const {
    JsonLine line;
    line.text("topic", message.topic()).text("peer", message.peer()).number("sequence", message.sequence());
    line.boolean("retained", message.retained());
    if (message.sent_at() != 0) line.number("sent_at_ns", static_cast<std::uint64_t>(message.sent_at()));
    if (const Headers* headers = message.headers(); headers && !headers->entries.empty()) {
      JsonLine entries;
      for (const auto& [name, value] : headers->entries) entries.text(name, value);
      line.raw("headers", entries.str());
    }
    line.number("bytes", message.bytes().size());
    if (text.type.empty()) line.raw("type", "null");
    else line.text("type", text.type);
    if (!text.json.empty()) line.raw("value", text.json);
    else line.raw("value", "null").text("hex", hex_of(message.bytes()));
    std::cout << line;
  }

  void show(const SubscriptionEvent& event) {
    std::string text = std::string{name_of(event.kind)} + (event.peer.empty() ? "" : " " + event.peer);
    if (!event.detail.empty()) text += ": " + event.detail;
    if (event.kind == EventKind::gap) {
      const std::uint64_t missed = event.first == 0 ? 0 : event.last - event.first + 1;
      sum_.missed += missed;
      topics_[event.topic].missed += missed;
      text = "gap " + event.topic + ": " + (missed == 0 ? "an unknown number of messages is" : plural(missed, "message") + " (" +
             std::to_string(event.first) + " to " + std::to_string(event.last) + ")") + " missing";
    }
    if (event.kind == EventKind::peer_lost) lost_.insert(event.peer);
    if (event.kind == EventKind::confirmed) lost_.erase(event.peer);
    if (event.kind == EventKind::incarnation_changed || event.kind == EventKind::peer_lost) decoder_.forget(event.peer);
    if (!options_.where.json || options_.rate || options_.raw) {
      write_out();
      if (event.kind != EventKind::confirmed) note(text);
      return;
    }
    std::cout << JsonLine{}.text("event", name_of(event.kind)).text("topic", event.topic).text("peer", event.peer)
                     .text("detail", event.detail).number("first", event.first).number("last", event.last);
  }

  static std::string json_of(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) list.append(list.empty() ? "" : ",").append(tool::quoted(text));
    return "[" + list + "]";
  }

  void show_rates(steady_clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now - second_).count();
    second_ = now;
    std::vector<std::string> headings{"TOPIC", ">PER SECOND", ">BYTES/S", ">MESSAGES", ">MISSED"};
    if (!lost_.empty()) headings.emplace_back("");
    Table table{std::move(headings)};
    for (const auto& [topic, all] : topics_) {
      const Traffic lately = lately_[topic];
      const double rate = static_cast<double>(lately.messages) / seconds;
      const double bytes = static_cast<double>(lately.bytes) / seconds;
      std::vector<std::string> lost;
      std::set_intersection(all.peers.begin(), all.peers.end(), lost_.begin(), lost_.end(), std::back_inserter(lost));
      std::vector<std::string> row{topic, fixed(rate, 1), bytes_text(bytes), std::to_string(all.messages), std::to_string(all.missed)};
      if (!lost_.empty()) row.push_back(lost.empty() ? "" : joined(lost) + " is lost");
      table.add(std::move(row));
      if (options_.where.json)
        std::cout << JsonLine{}.text("topic", topic).real("per_second", rate).real("bytes_per_second", bytes)
                         .number("messages", all.messages).number("missed", all.missed).raw("lost_peers", json_of(lost));
    }
    lately_.clear();
    if (!options_.where.json && !table.empty()) std::cout << (std::exchange(has_table_, true) ? "\n" : "") << table;
    write_out();
  }

  /// On stderr, so that stdout holds messages only.
  Exit summary() {
    const auto now = steady_clock::now();
    if (options_.rate && now - second_ >= std::chrono::milliseconds{200}) show_rates(now);
    write_out();
    if (has_table_ && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO)) std::cerr << '\n';  // apart from the table
    const std::uint64_t dropped = inbox_.stats().dropped.total();
    note(plural(sum_.messages, "message") + ", " + bytes_text(static_cast<double>(sum_.bytes)) + " on " +
         plural(topics_.size(), "topic") + " in " + text_of(now - started_) +
         (sum_.missed + dropped == 0 ? "; none missing" : "; " + std::to_string(sum_.missed) + " missing as gaps, " +
                                       std::to_string(dropped) + " lost here because they were not printed fast enough"));
    if (sum_.messages > 0) return Exit::done;
    note("nothing came:" + why_nothing());
    return Exit::nothing;
  }

  std::string why_nothing() {
    Catalogue catalogue{session_};
    try {
      catalogue.refresh();
    } catch (const Stop& stop) {
      return std::string{" "} + stop.what();
    }
    std::vector<std::string> matching;
    for (const Description& bus : catalogue.told()) {
      for (const TopicDescription& topic : bus.topics) {
        if (matches(pattern_, topic.name)) matching.push_back(topic.name);
      }
    }
    if (matching.empty()) {
      if (catalogue.service(pattern_)) return " " + pattern_ + " is a service, not a topic: `midplane req`; published are: " + catalogue.topics_text();
      return " no topic that is published there matches " + pattern_ + "; published are: " + catalogue.topics_text();
    }
    return " " + some_of(std::move(matching)) + " can come, but nothing was published since";
  }

  const Options& options_;
  Session& session_;
  Signals& signals_;
  Decoder decoder_;
  const std::string pattern_;
  const bool several_;
  Inbox<Bytes> inbox_;
  Traffic sum_;
  std::map<std::string, Traffic> topics_, lately_;
  std::set<std::string> lost_;  ///< peers that are away now
  steady_clock::time_point started_, second_;
  bool has_table_ = false;
};

Exit run(const Options& options, Signals& signals) {
  if (options.rate + options.raw + options.hex > 1) stop(Exit::usage, "--rate, --raw and --hex exclude one another");
  const auto pattern = Pattern<Bytes>::parse(options.pattern);
  if (!pattern) stop(Exit::usage, pattern.error().message());
  if (!options.duration.empty()) static_cast<void>(duration_of(options.duration, "--for"));
  const auto session = Session::reach(options.where);
  return Sub{options, *session, *pattern, signals}.run();
}

}  // namespace

void add_sub(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("sub", "show the messages of all topics that a pattern stands for, until Ctrl-C");
  const auto options = std::make_shared<Options>();
  command->add_option("PATTERN", options->pattern, "topics: '*' is one token, '>' one or more last tokens")->required();
  command->add_option("-n,--count", options->count, "end after so many messages")->check(at_least_one());
  command->add_option("--for", options->duration, "end after so long, like 10s");
  command->add_flag("--rate", options->rate, "messages and bytes per second and topic, each second, instead of messages");
  command->add_flag("--raw", options->raw, "the bytes of the payloads, one behind the other, and nothing else");
  command->add_flag("--hex", options->hex, "payloads in hexadecimal, not decoded");
  add_where(*command, options->where);
  command->footer("Examples:\n  midplane sub 'host.>' --peer tcp://127.0.0.1:7400\n  midplane sub 'host.*.cpu' --count 1 --json\n"
                  "  midplane sub '>' --rate --for 10s");
  command->callback([&chosen, options] { chosen.run = [options](Signals& signals) { return run(*options, signals); }; });
}

}  // namespace midplane::tool
