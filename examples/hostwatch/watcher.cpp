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

std::string host_of(std::string_view topic) {
  const auto begin = topic.find('.') + 1;
  return std::string{topic.substr(begin, topic.find('.', begin) - begin)};
}

Result<std::unique_ptr<Watcher>> Watcher::start(midplane::Bus& bus, std::string path) {
  std::unique_ptr<Watcher> watcher{new Watcher{bus, std::move(path)}};
  auto pattern = midplane::Pattern<Bytes>::parse("host.*.>");
  if (!pattern) return pattern.error();
  auto subscription = bus.subscribe(
      *pattern, [self = watcher.get()](const Message<Bytes>& message) { self->note(message); },
      {.on_event = [self = watcher.get()](const midplane::SubscriptionEvent& event) { self->happened(event); }});
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
  const std::string topic{message.topic()};
  const std::lock_guard lock{mutex_};
  ledgers_[{topic, run_of(topic)}].note(*id, message.sequence(), late_us);
  last_[topic] = message;
  if (away_.erase(host_of(topic)) != 0) add_locked({.host = host_of(topic), .what = "recovered", .detail = "messages again"});
}

/// Events come in order with the messages: what arrives after incarnation_changed is of the next run.
void Watcher::happened(const midplane::SubscriptionEvent& event) {
  const std::string host = event.peer.starts_with("agent-") ? event.peer.substr(6) : event.peer;
  Moment moment{.host = host, .what = std::string{midplane::name_of(event.kind)}, .detail = event.detail,
                .first = event.first, .last = event.last};
  const std::lock_guard lock{mutex_};
  if (event.kind == midplane::EventKind::peer_lost) away_.insert(host);
  if (event.kind == midplane::EventKind::incarnation_changed) {
    ++restarts_[host];
    moment.detail = "run " + std::to_string(restarts_[host] + 1);
  }
  if (event.kind == midplane::EventKind::gap) {
    ledgers_[{event.topic, run_of(event.topic)}].gap(event.first, event.last);
    moment.detail = event.topic;
  }
  add_locked(std::move(moment));
}

unsigned Watcher::runs(const std::string& host) const {
  const std::lock_guard lock{mutex_};
  return run_of("host." + host + ".");
}

unsigned Watcher::run_of(std::string_view topic) const {
  const auto found = restarts_.find(host_of(topic));
  return found == restarts_.end() ? 1 : found->second + 1;
}

void Watcher::add_locked(Moment moment) {
  moment.at_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  timeline_.push_back(std::move(moment));
  changed_.notify_all();
}

void Watcher::add(const std::string& host, std::string what, std::string detail) {
  const std::lock_guard lock{mutex_};
  add_locked({.host = host, .what = std::move(what), .detail = std::move(detail)});
}

std::vector<Moment> Watcher::timeline() const {
  const std::lock_guard lock{mutex_};
  return timeline_;
}

bool Watcher::wait_for(const std::string& host, const std::string& what, int times, midplane::Duration duration) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, duration, [&] {
    return std::count_if(timeline_.begin(), timeline_.end(),
                         [&](const Moment& moment) { return moment.host == host && moment.what == what; }) >= times;
  });
}

std::vector<TopicResult> Watcher::so_far() const {
  const std::lock_guard lock{mutex_};
  std::vector<TopicResult> results;
  for (const auto& [key, ledger] : ledgers_) {
    TopicResult result = result_of(key.first, key.second);
    result.delivered = result.offered = ledger.latencies_us().size();
    results.push_back(std::move(result));
  }
  return results;
}

TopicResult Watcher::result_of(const std::string& topic, unsigned run) const {
  TopicResult result;
  result.topic = topic;
  result.run = run;
  result.path = path_;
  if (const Kind* kind = kind_of(topic)) result.type = kind->type.name;
  const auto found = ledgers_.find({topic, run});
  if (found != ledgers_.end()) result.latencies_us = found->second.latencies_us();
  return result;
}

Result<std::vector<TopicResult>> Watcher::settle(const std::vector<std::string>& hosts, midplane::Duration duration) {
  std::map<Key, std::uint64_t> last_ids;  // of each run, as its agent or its log says
  for (const std::string& host : hosts) {
    const auto counted = counters(host, duration);
    if (!counted) return counted.error();
    const unsigned run = runs(host);
    if (run > 1) {
      auto log = logged(host);
      if (!log) return log.error();
      last_ids.merge(*log);
    }
    for (const auto* topic : all_of((*counted)->topics()))
      last_ids[{topic->topic()->str(), run}] = topic->last_id();
  }
  static_cast<void>(bus_.drain(duration));
  std::vector<TopicResult> results;
  const std::lock_guard lock{mutex_};
  for (const auto& [key, last_id] : last_ids) {
    const auto& [topic, run] = key;
    const Ledger& ledger = ledgers_[key];
    TopicResult& result = results.emplace_back(result_of(topic, run));
    // A run that was killed may have published one more than it could log.
    const bool killed = run < run_of(topic);
    const std::uint64_t last = killed ? std::max(last_id, ledger.last()) : last_id;
    // What was published after the counters were read is not theirs to explain.
    result.offered = last;
    result.delivered = ledger.delivered_between(1, last);
    result.missing = ledger.missing(1, last);
    result.duplicates = ledger.duplicates() + ledger.delivered_in_gaps();
    if (const auto count = ledger.missing_in_gaps(1, last)) result.lost["gap"] = count;
    // After its last sign nobody can say more than this: it was in the process that died.
    if (const auto count = ledger.missing(ledger.last() + 1, last) - ledger.missing_in_gaps(ledger.last() + 1, last); killed && count)
      result.lost["killed"] = count;
  }
  explain_own_losses(results);
  return results;
}

/// A subscription to a pattern has one queue for all its topics: its losses are explained by their sum.
void Watcher::explain_own_losses(std::vector<TopicResult>& results) const {
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
}

Result<Message<Counters>> Watcher::counters(const std::string& host, midplane::Duration duration) {
  auto service = host_watch::counters(host);
  if (!service) return service.error();
  auto client = bus_.client(*service, {.timeout = duration});
  if (!client) return client.error();
  return client->request(CountersQueryT{}).get();
}

Result<Watcher::LogStream> Watcher::open_log(const std::string& host, std::uint32_t last, bool follow) {
  auto service = host_watch::log(host);
  if (!service) return service.error();
  auto client = bus_.client(*service);
  if (!client) return client.error();
  LogQueryT query;
  query.last = last;
  query.follow = follow;
  return client->open(query, {.timeout = follow ? std::chrono::hours{24} : std::chrono::seconds{10}});
}

Result<std::map<Watcher::Key, std::uint64_t>> Watcher::logged(const std::string& host) {
  auto lines = open_log(host, UINT32_MAX, false);
  if (!lines) return lines.error();
  std::map<Key, std::uint64_t> last_ids;
  std::vector<std::string> runs;
  while (true) {
    auto line = lines->next(std::chrono::seconds{5});
    if (!line) return line.error();
    if (!*line) return last_ids;
    char run[64], topic[256];
    unsigned long long id = 0;
    if (std::sscanf((**line)->text()->c_str(), "at=%*s run=%63s topic=%255s id=%llu", run, topic, &id) != 3) continue;
    auto found = std::find(runs.begin(), runs.end(), run);
    if (found == runs.end()) found = runs.insert(runs.end(), run);
    last_ids[{topic, static_cast<unsigned>(found - runs.begin()) + 1}] = id;
  }
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
