// What the buses have: topics with their types and rates, services, subscriptions, peers.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include <midplane/names.hpp>

#include "catalogue.hpp"
#include "commands.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

struct Options {
  Where where;
  std::string pattern;
  std::string duration = "1s";
};

/// A newer message in the place of an older one is what `latest` was chosen for, no loss.
std::uint64_t lost_of(const CountsDescription& counts) {
  std::uint64_t sum = 0;
  for (const CounterDescription& drop : counts.dropped) sum += drop.name == "conflated" ? 0 : drop.value;
  return sum;
}

JsonLine& add_losses(JsonLine& line, const CountsDescription& counts) {
  JsonLine dropped;
  for (const CounterDescription& drop : counts.dropped) dropped.number(drop.name, drop.value);
  return line.number("lost", lost_of(counts)).raw("dropped", dropped.str());
}

std::string word_of(const TypeDescription& type) { return type.fingerprint == 0 ? "(raw bytes)" : type.name; }

JsonLine& add_type(JsonLine& line, std::string_view member, const TypeDescription& type) {
  if (type.fingerprint == 0) return line.raw(member, "null");
  return line.raw(member, JsonLine{}.text("name", type.name).text("fingerprint", hex16(type.fingerprint)).str());
}

class Listing {
 public:
  Listing(const Options& options, const Session& session) : options_{options}, session_{session} {
    if (!options.pattern.empty()) {
      if (auto parsed = Pattern<Bytes>::parse(options.pattern); !parsed) stop(Exit::usage, parsed.error().message());
    }
  }

  /// `before`: the same buses, asked before; without it there are no rates.
  void show(const std::vector<Session::Told>& now, const std::vector<Session::Told>& before) {
    for (const Session::Told& bus : now) {
      const auto same = std::find_if(before.begin(), before.end(), [&](const auto& b) { return b.incarnation == bus.incarnation; });
      if (same == before.end()) add(bus, nullptr, 0);
      else add(bus, &*same, std::chrono::duration<double>(bus.at - same->at).count());
    }
    if (options_.where.json) return;
    std::cout << buses_;
    for (const Table* table : {&topics_, &services_, &subscriptions_, &peers_}) {
      if (!table->empty()) std::cout << '\n' << *table;
    }
  }
  [[nodiscard]] std::size_t found() const noexcept { return found_; }

 private:
  [[nodiscard]] bool is_meant(std::string_view name) const {
    return options_.pattern.empty() || matches(options_.pattern, name) || name == options_.pattern;
  }
  void add(const Description& bus, const Description* before, double seconds) {
    std::string address;
    for (const Peer& peer : session_.peers()) {
      if (peer.incarnation == bus.incarnation) address = peer.endpoint;
    }
    buses_.add({bus.name, bus.library_version, std::to_string(bus.wire_version), address});
    if (options_.where.json)
      std::cout << JsonLine{}.text("kind", "bus").text("name", bus.name).text("incarnation", bus.incarnation)
                       .text("version", bus.library_version).number("wire_version", bus.wire_version).text("endpoint", address);
    for (const TopicDescription& topic : bus.topics) {
      if (is_meant(topic.name)) add(bus, topic, before, seconds);
    }
    for (const ServiceDescription& service : bus.services) {
      if (is_meant(service.name)) add(bus, service);
    }
    for (const SubscriptionDescription& subscription : bus.subscriptions) {
      if (is_meant(subscription.pattern)) add(bus, subscription);
    }
    for (const PeerDescription& peer : bus.peers) {
      if (peer.incarnation != session_.incarnation() && options_.pattern.empty()) add(bus, peer);
    }
  }
  void add(const Description& bus, const TopicDescription& topic, const Description* before, double seconds) {
    ++found_;
    std::optional<double> rate;
    if (before && seconds > 0) {
      const auto same = std::find_if(before->topics.begin(), before->topics.end(), [&](const auto& t) { return t.name == topic.name; });
      const std::uint64_t earlier = same == before->topics.end() ? 0 : same->published;
      rate = static_cast<double>(topic.published - std::min(topic.published, earlier)) / seconds;
    }
    topics_.add({topic.name, word_of(topic.type), std::to_string(topic.published), rate ? fixed(*rate, 1) : "-",
                 bytes_text(static_cast<double>(topic.payload_bytes)), bus.name});
    if (!options_.where.json) return;
    JsonLine line;
    line.text("kind", "topic").text("name", topic.name);
    add_type(line, "type", topic.type).number("published", topic.published).number("payload_bytes", topic.payload_bytes);
    if (rate) line.real("per_second", *rate);
    else line.raw("per_second", "null");
    std::cout << line.text("bus", bus.name);
  }
  void add(const Description& bus, const ServiceDescription& service) {
    ++found_;
    services_.add({service.name, word_of(service.request), word_of(service.reply), std::to_string(service.servers),
                   std::to_string(service.counts.delivered), bus.name});
    if (!options_.where.json) return;
    JsonLine line;
    line.text("kind", "service").text("name", service.name);
    add_type(line, "request", service.request);
    add_type(line, "reply", service.reply).number("servers", service.servers).number("asked", service.counts.delivered);
    std::cout << add_losses(line, service.counts).text("bus", bus.name);
  }
  void add(const Description& bus, const SubscriptionDescription& subscription) {
    ++found_;
    subscriptions_.add({subscription.pattern, word_of(subscription.type), subscription.group, subscription.overflow,
                        std::to_string(subscription.counts.delivered), std::to_string(subscription.counts.waiting),
                        std::to_string(lost_of(subscription.counts)), bus.name});
    if (!options_.where.json) return;
    JsonLine line;
    line.text("kind", "subscription").text("pattern", subscription.pattern);
    add_type(line, "type", subscription.type).text("group", subscription.group).text("overflow", subscription.overflow);
    line.number("delivered", subscription.counts.delivered).number("waiting", subscription.counts.waiting);
    std::cout << add_losses(line, subscription.counts).text("bus", bus.name);
  }
  void add(const Description& bus, const PeerDescription& peer) {
    peers_.add({peer.name.empty() ? "(never reached)" : peer.name, peer.state, (peer.dialled ? "dialled " : "came to ") + peer.endpoint, bus.name});
    if (options_.where.json)
      std::cout << JsonLine{}.text("kind", "peer").text("name", peer.name).text("state", peer.state)
                       .text("endpoint", peer.endpoint).boolean("dialled", peer.dialled).text("bus", bus.name);
  }

  const Options& options_;
  const Session& session_;
  std::size_t found_ = 0;
  Table buses_{{"BUS", "VERSION", "WIRE", "ADDRESS"}};
  Table topics_{{"TOPIC", "TYPE", ">PUBLISHED", ">PER SECOND", ">BYTES", "BUS"}};
  Table services_{{"SERVICE", "ASKED WITH", "ANSWERS WITH", ">SERVERS", ">ASKED", "BUS"}};
  Table subscriptions_{{"SUBSCRIPTION", "TYPE", "GROUP", "OVERFLOW", ">TAKEN", ">WAITING", ">LOST", "BUS"}};
  Table peers_{{"PEER", "STATE", "LINK", "OF BUS"}};
};

Exit run(const Options& options) {
  const Duration pause = duration_of(options.duration, "--for");
  const auto session = Session::reach(options.where);
  Listing listing{options, *session};
  std::vector<Session::Told> before;
  if (pause > Duration::zero()) {
    before = session->ask_all();
    // Nothing is waited for but time; a peer that is lost meanwhile is noticed by the second question.
    Hearsay{}.wait(pause, [] { return false; });
  }
  const auto now = session->ask_all();
  listing.show(now, before);
  if (listing.found() > 0) return Exit::done;
  Catalogue catalogue{*session};
  catalogue.refresh();
  if (options.pattern.empty()) note("nothing: these buses publish, serve and subscribe nothing");
  else
    note("nothing is named " + options.pattern + "; topics: " + catalogue.topics_text() + "; services: " +
         catalogue.services_text() + "; subscriptions: " + catalogue.subscriptions_text());
  return Exit::nothing;
}

}  // namespace

void add_ls(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("ls", "list topics, services, subscriptions and peers of the buses, with types and rates");
  const auto options = std::make_shared<Options>();
  command->add_option("PATTERN", options->pattern, "only names that it stands for; '*' is one token, '>' the rest");
  command->add_option("--for", options->duration, "how long to count for the rates; 0s: no rates")->capture_default_str();
  add_where(*command, options->where);
  command->footer("Examples:\n  midplane ls --peer tcp://127.0.0.1:7400\n  midplane ls 'host.*.cpu' --json");
  command->callback([&chosen, options] { chosen.run = [options](Signals&) { return run(*options); }; });
}

}  // namespace midplane::tool
