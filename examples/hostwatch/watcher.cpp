#include "watcher.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include <midplane/json.hpp>

namespace hostwatch {

using midplane::Bytes;
using midplane::Message;
using midplane::Result;

namespace {

/// The five kinds of samples: how to read their id, and their type.
struct Kind {
  std::string_view suffix;
  const midplane::TypeInfo& type;
  std::optional<std::uint64_t> (*id)(std::span<const std::byte>);
};

template <class T>
std::optional<std::uint64_t> id_of(std::span<const std::byte> bytes) {
  if (!midplane::Codec<T>::verify(bytes)) return std::nullopt;
  return midplane::Codec<T>::view(bytes)->id();
}

const std::array<Kind, 5>& kinds() {
  static const std::array<Kind, 5> all{{{".cpu", midplane::SchemaOf<CpuSample>::info(), id_of<CpuSample>},
                                        {".memory", midplane::SchemaOf<MemorySample>::info(), id_of<MemorySample>},
                                        {".network", midplane::SchemaOf<NetworkSample>::info(), id_of<NetworkSample>},
                                        {".disk", midplane::SchemaOf<DiskSample>::info(), id_of<DiskSample>},
                                        {".top", midplane::SchemaOf<TopSample>::info(), id_of<TopSample>}}};
  return all;
}

const Kind* kind_of(std::string_view topic) {
  for (const Kind& kind : kinds()) {
    if (topic.ends_with(kind.suffix)) return &kind;
  }
  return nullptr;
}

/// A vector that is empty may be absent.
template <class T>
std::vector<const T*> all_of(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector) {
  return vector ? std::vector<const T*>{vector->begin(), vector->end()} : std::vector<const T*>{};
}

std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<Watcher>> Watcher::start(midplane::Bus& bus, std::string path) {
  std::unique_ptr<Watcher> watcher{new Watcher{bus, std::move(path)}};
  auto pattern = midplane::Pattern<Bytes>::parse("host.*.>");
  if (!pattern) return pattern.error();
  auto subscription = bus.subscribe(*pattern, [self = watcher.get()](const Message<Bytes>& message) { self->note(message); });
  if (!subscription) return subscription.error();
  watcher->subscription_ = std::move(*subscription);
  return watcher;
}

void Watcher::note(const Message<Bytes>& message) {
  const Kind* kind = kind_of(message.topic());
  if (!kind) return;
  const auto id = kind->id(message.bytes());
  if (!id) return;
  const double late_us = static_cast<double>(wall_clock_ns() - message.sent_at()) / 1000.0;
  const std::lock_guard lock{mutex_};
  ledgers_[std::string{message.topic()}].note(*id, late_us);
  last_[std::string{message.topic()}] = message;
}

std::vector<TopicResult> Watcher::so_far() const {
  const std::lock_guard lock{mutex_};
  std::vector<TopicResult> results;
  for (const auto& [topic, ledger] : ledgers_) {
    TopicResult result;
    result.topic = topic;
    result.path = path_;
    if (const Kind* kind = kind_of(topic)) result.type = kind->type.name;
    result.delivered = result.offered = ledger.delivered();
    result.p50_us = ledger.latency_us(0.5);
    result.p99_us = ledger.latency_us(0.99);
    results.push_back(std::move(result));
  }
  return results;
}

Result<std::vector<TopicResult>> Watcher::settle(const std::string& host, midplane::Duration duration) {
  auto service = host_watch::counters(host);
  if (!service) return service.error();
  auto client = bus_.client(*service, {.timeout = duration});
  if (!client) return client.error();
  const auto counted = client->request(CountersQueryT{}).get();
  if (!counted) return counted.error();
  static_cast<void>(bus_.drain(duration));
  std::vector<TopicResult> results = so_far();
  const std::lock_guard lock{mutex_};
  for (const auto* topic : all_of((*counted)->topics())) {
    const auto found = std::find_if(results.begin(), results.end(),
                                    [topic](const TopicResult& result) { return result.topic == topic->topic()->str(); });
    TopicResult& result = found != results.end() ? *found : results.emplace_back();
    const Ledger& ledger = ledgers_[topic->topic()->str()];
    result.topic = topic->topic()->str();
    result.path = path_;
    if (topic->type()) result.type = topic->type()->str();
    result.offered = topic->first_id() ? topic->last_id() - topic->first_id() + 1 : 0;
    // What was published after the counters were read is not theirs to explain.
    result.delivered = ledger.delivered_between(topic->first_id(), topic->last_id());
    result.missing = ledger.missing(topic->first_id(), topic->last_id());
    result.duplicates = ledger.duplicates();
    for (const auto* drop : all_of(topic->dropped())) result.lost[drop->reason()->str()] += drop->count();
  }
  // A subscription to a pattern has one queue for all its topics: its losses are explained by their sum.
  const midplane::SinkStats own = subscription_.stats();
  for (std::size_t i = 0; i < midplane::drop_reasons; ++i) {
    std::uint64_t left = own.dropped.by_reason[i];
    for (TopicResult& result : results) {
      std::uint64_t explained = 0;
      for (const auto& [reason, count] : result.lost) explained += count;
      const std::uint64_t here = std::min(left, result.missing - std::min(result.missing, explained));
      if (here) result.lost[std::string{midplane::name_of(static_cast<midplane::DropReason>(i))}] += here;
      left -= here;
    }
  }
  return results;
}

Result<std::string> Watcher::ask(const std::string& host) {
  auto find = host_watch::processes(host);
  auto detail = host_watch::process(host);
  if (!find) return find.error();
  if (!detail) return detail.error();
  auto finder = bus_.client(*find);
  auto looker = bus_.client(*detail);
  if (!finder) return finder.error();
  if (!looker) return looker.error();
  ProcessQueryT query;
  query.limit = 3;
  const auto list = finder->request(query).get();
  if (!list) return list.error();
  std::string text = "asked " + host + " for its busiest processes, of " + std::to_string((*list)->matched()) + ":\n";
  char line[160];
  const auto processes = all_of((*list)->processes());
  for (const auto* process : processes) {
    std::snprintf(line, sizeof line, "  %7d  %-20.20s %6.1f %% of a core %8.1f MiB\n", process->pid(),
                  process->name()->c_str(), static_cast<double>(process->cpu_percent()),
                  static_cast<double>(process->rss()) / 1048576.0);
    text += line;
  }
  if (processes.empty()) return text;
  ProcessDetailQueryT which;
  which.pid = processes.front()->pid();
  const auto one = looker->request(which).get();
  if (!one) return text + "  in detail: " + one.error().message() + "\n";
  std::snprintf(line, sizeof line, "  in detail: pid %d has %u threads, %d open files, %.1f s of CPU since its start\n",
                which.pid, (*one)->threads(), (*one)->open_files(), static_cast<double>((*one)->cpu_time_ms()) / 1000.0);
  return text + line;
}

Result<std::string> Watcher::last_as_json(const std::string& suffix) const {
  const std::lock_guard lock{mutex_};
  for (const auto& [topic, message] : last_) {
    if (!topic.ends_with(suffix)) continue;
    auto json = midplane::to_json(message.bytes(), kind_of(topic)->type);
    if (!json) return json.error();
    return topic + " = " + *json;
  }
  return std::string{"no message of " + suffix + " came"};
}

}  // namespace hostwatch
