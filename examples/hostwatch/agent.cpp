#include "agent.hpp"

#include <cstdio>

namespace hostwatch {

using midplane::Result;

namespace {

template <class Made>
Result<void> keep(Made&& made, auto& in) {
  if (!made) return made.error();
  in = std::move(*made);
  return midplane::ok();
}

ProcessT to_table(const proc::Process& from) {
  ProcessT process;
  process.pid = from.stat.pid;
  process.name = from.stat.name;
  process.cpu_percent = from.cpu_percent;
  process.rss = from.rss_bytes;
  return process;
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(midplane::Bus& bus, std::string name, midplane::Duration interval,
                                            std::string log) {
  std::unique_ptr<Agent> agent{new Agent{bus, std::move(name), std::move(log)}};
  if (auto opened = agent->open(interval); !opened) return opened.error();
  return agent;
}

Agent::~Agent() {
  const std::lock_guard lock{gate_->mutex};
  gate_->open = false;
}

midplane::Timer Agent::every(midplane::Duration period, void (Agent::*work)()) {
  return bus_.every(period, [this, work, gate = gate_] {
    const std::lock_guard lock{gate->mutex};
    if (gate->open) (this->*work)();
  });
}

Result<void> Agent::open(midplane::Duration interval) {
  if (!log_path_.empty()) {
    if (auto opened = keep(Log::open(log_path_), log_); !opened) return opened;
  }
  const midplane::PublisherOptions stamped{.stamp = true};
  const auto publisher = [&](auto topic, auto& in) -> Result<void> {
    if (!topic) return topic.error();
    return keep(bus_.publisher(*topic, stamped), in);
  };
  const auto server = [&](auto service, auto handler, midplane::Server& in) -> Result<void> {
    if (!service) return service.error();
    return keep(bus_.serve(*service, std::move(handler)), in);
  };
  const Result<void> steps[] = {
      publisher(host_watch::cpu(name_), cpu_),
      publisher(host_watch::memory(name_), memory_),
      publisher(host_watch::network(name_), network_),
      publisher(host_watch::disk(name_), disk_),
      publisher(host_watch::top(name_), top_),
      server(host_watch::processes(name_), [this](const midplane::Request<ProcessQuery>& asked) { return find(*asked); },
             find_server_),
      server(host_watch::process(name_),
             [this](const midplane::Request<ProcessDetailQuery>& asked) { return detail(asked->pid()); }, detail_server_),
      server(host_watch::counters(name_), [this](const midplane::Request<CountersQuery>&) { return counters(); },
             counters_server_),
      server(host_watch::log(name_),
             [this](midplane::Request<LogQuery> asked, midplane::StreamResponder<LogLine> out) {
               tail(std::move(asked), std::move(out));
             },
             log_server_),
  };
  for (const auto& step : steps) {
    if (!step) return step;
  }
  timer_ = every(interval, &Agent::publish_all);
  tail_timer_ = every(std::chrono::milliseconds{10}, &Agent::follow_tails);
  const auto pace = host_watch::pace(name_);
  if (!pace) return pace.error();
  return keep(bus_.subscribe(*pace, [this](const midplane::Message<Pace>& wanted) {
    if (wanted->interval_ms() < 1 || wanted->interval_ms() > 60'000) return;
    timer_ = every(std::chrono::milliseconds{wanted->interval_ms()}, &Agent::publish_all);
  }), pace_);
}

void Agent::follow_tails() {
  const std::lock_guard lock{mutex_};
  std::erase_if(tails_, [](const auto& tail) { return !tail->go_on(); });
}

void Agent::publish_all() {
  const std::lock_guard lock{mutex_};
  publish_cpu();
  publish_memory();
  publish_network();
  publish_disk();
  publish_top();
}

/// Ids count what somebody was offered. One that is in the log was published; the one after the last line may be too.
template <class T, class Build>
void Agent::publish(midplane::Publisher<T>& to, const char* kind, Build&& build) {
  const std::string topic = "host." + name_ + "." + kind;
  Sent& sent = sent_[topic];
  typename T::NativeTableType sample;
  sample.id = sent.last_id + 1;
  build(sample);
  const auto published = to.publish(sample);
  if (!published || published->sinks == 0) return;
  ++sent.last_id;
  sent.offered += published->sinks;
  if (!log_) return;
  char line[512];
  const double at = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::snprintf(line, sizeof line, "at=%.3f run=%s topic=%s id=%llu", at, run_.c_str(), topic.c_str(),
                static_cast<unsigned long long>(sent.last_id));
  log_->write(line);
}

CountersT Agent::counters() {
  const std::lock_guard lock{mutex_};
  const midplane::Stats stats = bus_.stats();
  CountersT counters;
  counters.host = name_;
  counters.run = run_;
  counters.tails = static_cast<std::uint32_t>(tails_.size());
  for (const auto& [topic, sent] : sent_) {
    auto entry = std::make_unique<TopicCountersT>();
    entry->topic = topic;
    for (const auto& known : stats.topics) {
      if (known.name == topic) entry->type = known.type;
    }
    entry->offered = sent.offered;
    entry->published = sent.last_id;
    entry->first_id = sent.last_id ? 1 : 0;
    entry->last_id = sent.last_id;
    for (const auto& sink : stats.sinks) {
      if (sink.kind != "link" || sink.name != topic) continue;
      entry->delivered += sink.delivered;
      entry->waiting += sink.waiting;
      for (std::size_t i = 0; i < midplane::drop_reasons; ++i) {
        if (sink.dropped.by_reason[i] == 0) continue;
        auto drop = std::make_unique<DropT>();
        drop->reason = midplane::name_of(static_cast<midplane::DropReason>(i));
        drop->count = sink.dropped.by_reason[i];
        entry->dropped.push_back(std::move(drop));
      }
    }
    counters.topics.push_back(std::move(entry));
  }
  return counters;
}

void Agent::tail(midplane::Request<LogQuery> asked, midplane::StreamResponder<LogLine> out) {
  if (!log_) {
    static_cast<void>(out.fail(static_cast<std::int32_t>(Failure::no_log), "this agent writes no log; start it with --log FILE"));
    return;
  }
  const auto tail = std::make_shared<Tail>(log_path_, std::move(asked), std::move(out));
  const std::lock_guard lock{mutex_};
  if (tail->go_on()) tails_.push_back(tail);
}

Result<ProcessListT> Agent::find(const ProcessQuery& query) {
  const std::lock_guard lock{mutex_};
  if (auto looked = sampler_.processes(); !looked) return looked.error();
  const auto matches = sampler_.find({.name_contains = query.name_contains() ? query.name_contains()->str() : std::string{},
                                      .cpu_percent_min = query.cpu_percent_min(),
                                      .limit = query.limit()});
  ProcessListT list;
  list.matched = static_cast<std::uint32_t>(matches.matched);
  for (const auto& process : matches.processes) list.processes.push_back(std::make_unique<ProcessT>(to_table(process)));
  return list;
}

Result<ProcessDetailT> Agent::detail(std::int32_t pid) {
  const std::lock_guard lock{mutex_};
  const auto found = sampler_.detail(pid);
  if (!found) return found.error();
  ProcessDetailT detail;
  detail.process = std::make_unique<ProcessT>(to_table(found->process));
  detail.parent = found->process.stat.parent;
  detail.command_line = found->command_line;
  detail.threads = static_cast<std::uint32_t>(found->process.stat.threads);
  detail.cpu_time_ms = static_cast<std::uint64_t>(found->cpu_time.count());
  detail.open_files = found->open_files;
  return detail;
}

void Agent::publish_cpu() {
  const auto read = sampler_.cpu();
  if (!read) return;
  publish(cpu_, "cpu", [&](CpuSampleT& sample) {
    sample.interval_ms = static_cast<std::uint32_t>(read->interval.count());
    for (const auto& load : read->values) {
      auto core = std::make_unique<CoreLoadT>();
      core->core = load.core;
      core->user = load.user;
      core->system = load.system;
      core->idle = load.idle;
      core->iowait = load.iowait;
      core->steal = load.steal;
      sample.cores.push_back(std::move(core));
    }
  });
}

void Agent::publish_memory() {
  const auto read = sampler_.memory();
  if (!read) return;
  publish(memory_, "memory", [&](MemorySampleT& sample) {
    sample.total = read->total;
    sample.free = read->free;
    sample.available = read->available;
    sample.buffers = read->buffers;
    sample.cached = read->cached;
    sample.swap_total = read->swap_total;
    sample.swap_free = read->swap_free;
  });
}

void Agent::publish_network() {
  const auto read = sampler_.network();
  if (!read) return;
  publish(network_, "network", [&](NetworkSampleT& sample) {
    sample.interval_ms = static_cast<std::uint32_t>(read->interval.count());
    for (const auto& load : read->values) {
      auto interface = std::make_unique<InterfaceLoadT>();
      interface->name = load.name;
      interface->rx_bytes = load.totals.rx.bytes;
      interface->rx_packets = load.totals.rx.packets;
      interface->tx_bytes = load.totals.tx.bytes;
      interface->tx_packets = load.totals.tx.packets;
      interface->rx_bytes_rate = load.rx_bytes_rate;
      interface->tx_bytes_rate = load.tx_bytes_rate;
      interface->rx_packets_rate = load.rx_packets_rate;
      interface->tx_packets_rate = load.tx_packets_rate;
      sample.interfaces.push_back(std::move(interface));
    }
  });
}

void Agent::publish_disk() {
  const auto read = sampler_.disks();
  if (!read) return;
  publish(disk_, "disk", [&](DiskSampleT& sample) {
    sample.interval_ms = static_cast<std::uint32_t>(read->interval.count());
    for (const auto& load : read->values) {
      auto device = std::make_unique<DiskLoadT>();
      device->name = load.name;
      device->reads_rate = load.reads_rate;
      device->read_bytes_rate = load.read_bytes_rate;
      device->writes_rate = load.writes_rate;
      device->written_bytes_rate = load.written_bytes_rate;
      sample.devices.push_back(std::move(device));
    }
  });
}

void Agent::publish_top() {
  const auto read = sampler_.processes();
  if (!read) return;
  publish(top_, "top", [&](TopSampleT& sample) {
    sample.interval_ms = static_cast<std::uint32_t>(read->interval.count());
    sample.running = static_cast<std::uint32_t>(read->values.size());
    for (const auto& process : sampler_.find({.limit = 5}).processes)
      sample.processes.push_back(std::make_unique<ProcessT>(to_table(process)));
  });
}

}  // namespace hostwatch
