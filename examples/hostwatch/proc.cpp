#include "proc.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <tuple>

namespace hostwatch::proc {

namespace {

using midplane::Error;
using midplane::ErrorCode;
using midplane::Result;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad()) return std::nullopt;  // the process went away between open and read
  return text;
}

Error unreadable(const std::filesystem::path& path) {
  return Error{ErrorCode::transport_failed, "this part of /proc is not there or makes no sense"}.with(
      path.native());
}

/// A counter that went backwards was reset: nothing is known of that interval.
std::uint64_t grown(std::uint64_t now, std::uint64_t before) { return now >= before ? now - before : 0; }

double rate(std::uint64_t now, std::uint64_t before, nanoseconds interval) {
  if (interval <= nanoseconds{0}) return 0;
  return static_cast<double>(grown(now, before)) / std::chrono::duration<double>{interval}.count();
}

milliseconds rounded(nanoseconds interval) { return std::chrono::round<milliseconds>(interval); }

std::optional<std::int32_t> pid_of(const std::filesystem::path& path) {
  const std::string name = path.filename().native();
  if (name.empty() || name.size() > 9 || name.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return static_cast<std::int32_t>(std::stol(name));
}

int count_files(const std::filesystem::path& folder) {
  std::error_code fault;
  int count = 0;
  for (std::filesystem::directory_iterator entry{folder, fault}, end; !fault && entry != end;
       entry.increment(fault))
    ++count;
  return fault ? -1 : count;
}

bool is_busier(const Process& a, const Process& b) {
  return std::tuple{b.cpu_percent, b.rss_bytes, a.stat.pid} <
         std::tuple{a.cpu_percent, a.rss_bytes, b.stat.pid};
}

}  // namespace

Sampler::Sampler(SamplerOptions options) : options_{std::move(options)} {
  if (!options_.now)
    options_.now = [] { return nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}; };
  if (options_.ticks_per_second == 0)
    options_.ticks_per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  if (options_.page_bytes == 0) options_.page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Result<Sample<CoreLoad>> Sampler::cpu() {
  const auto path = options_.root / "stat";
  auto cores = parse_stat(read_file(path).value_or(""));
  if (cores.empty()) return unreadable(path);
  const auto now = options_.now();

  Sample<CoreLoad> sample;
  if (!cpu_before_.empty()) sample.interval = rounded(now - cpu_at_);
  for (const auto& [core, ticks] : cores) {
    CoreLoad load{.core = core};
    if (const auto before = cpu_before_.find(core); before != cpu_before_.end()) {
      // The kernel lets idle and iowait go backwards now and then: the sum is taken after that is mended.
      const CoreTicks spent{.user = grown(ticks.user, before->second.user),
                            .system = grown(ticks.system, before->second.system),
                            .idle = grown(ticks.idle, before->second.idle),
                            .iowait = grown(ticks.iowait, before->second.iowait),
                            .steal = grown(ticks.steal, before->second.steal)};
      const auto percent = [total = spent.total()](std::uint64_t part) {
        return total == 0
                   ? 0.0F
                   : static_cast<float>(100.0 * static_cast<double>(part) / static_cast<double>(total));
      };
      load.user = percent(spent.user);
      load.system = percent(spent.system);
      load.idle = percent(spent.idle);
      load.iowait = percent(spent.iowait);
      load.steal = percent(spent.steal);
    }
    sample.values.push_back(load);
  }
  cpu_at_ = now;
  cpu_before_ = std::move(cores);
  return sample;
}

Result<Memory> Sampler::memory() const {
  const auto path = options_.root / "meminfo";
  if (const auto memory = parse_meminfo(read_file(path).value_or(""))) return *memory;
  return unreadable(path);
}

Result<Sample<InterfaceLoad>> Sampler::network() {
  const auto path = options_.root / "net" / "dev";
  const auto text = read_file(path);
  if (!text) return unreadable(path);
  const auto now = options_.now();
  auto totals = parse_net_dev(*text);

  Sample<InterfaceLoad> sample;
  const nanoseconds interval = network_before_.totals.empty() ? nanoseconds{0} : now - network_before_.at;
  sample.interval = rounded(interval);
  for (const auto& [name, total] : totals) {
    InterfaceLoad load{.name = name, .totals = total};
    if (const auto before = network_before_.totals.find(name); before != network_before_.totals.end()) {
      load.rx_bytes_rate = rate(total.rx.bytes, before->second.rx.bytes, interval);
      load.tx_bytes_rate = rate(total.tx.bytes, before->second.tx.bytes, interval);
      load.rx_packets_rate = rate(total.rx.packets, before->second.rx.packets, interval);
      load.tx_packets_rate = rate(total.tx.packets, before->second.tx.packets, interval);
    }
    sample.values.push_back(std::move(load));
  }
  network_before_ = {now, std::move(totals)};
  return sample;
}

Result<Sample<DiskLoad>> Sampler::disks() {
  const auto path = options_.root / "diskstats";
  const auto text = read_file(path);
  if (!text) return unreadable(path);
  const auto now = options_.now();
  auto totals = parse_diskstats(*text);

  Sample<DiskLoad> sample;
  const nanoseconds interval = disks_before_.totals.empty() ? nanoseconds{0} : now - disks_before_.at;
  sample.interval = rounded(interval);
  for (const auto& [name, total] : totals) {
    DiskLoad load{.name = name, .totals = total};
    if (const auto before = disks_before_.totals.find(name); before != disks_before_.totals.end()) {
      load.reads_rate = rate(total.reads, before->second.reads, interval);
      load.read_bytes_rate = rate(total.read_bytes, before->second.read_bytes, interval);
      load.writes_rate = rate(total.writes, before->second.writes, interval);
      load.written_bytes_rate = rate(total.written_bytes, before->second.written_bytes, interval);
    }
    sample.values.push_back(std::move(load));
  }
  disks_before_ = {now, std::move(totals)};
  return sample;
}

Result<Sample<Process>> Sampler::processes() {
  std::error_code fault;
  std::filesystem::directory_iterator entry{options_.root, fault};
  if (fault) return unreadable(options_.root);
  const auto now = options_.now();

  Sample<Process> sample;
  const nanoseconds interval = processes_.empty() ? nanoseconds{0} : now - processes_at_;
  sample.interval = rounded(interval);
  std::map<std::int32_t, Process> seen;
  for (; !fault && entry != std::filesystem::directory_iterator{}; entry.increment(fault)) {
    if (!pid_of(entry->path())) continue;
    auto stat = parse_process_stat(read_file(entry->path() / "stat").value_or(""));
    if (!stat) continue;
    Process process{.stat = std::move(*stat)};
    process.rss_bytes = process.stat.rss_pages * options_.page_bytes;
    const auto before = processes_.find(process.stat.pid);
    if (before != processes_.end() && before->second.stat.started == process.stat.started) {
      const double ticks = rate(process.stat.cpu_ticks, before->second.stat.cpu_ticks, interval);
      process.cpu_percent =
          static_cast<float>(100.0 * ticks / static_cast<double>(options_.ticks_per_second));
    }
    seen[process.stat.pid] = std::move(process);
  }
  if (seen.empty()) return unreadable(options_.root);
  processes_at_ = now;
  processes_ = std::move(seen);
  for (const auto& [pid, process] : processes_) sample.values.push_back(process);
  std::sort(sample.values.begin(), sample.values.end(), is_busier);
  return sample;
}

ProcessMatches Sampler::find(const ProcessFilter& filter) const {
  ProcessMatches matches;
  for (const auto& [pid, process] : processes_) {
    if (process.cpu_percent < filter.cpu_percent_min) continue;
    if (process.stat.name.find(filter.name_contains) == std::string::npos) continue;
    matches.processes.push_back(process);
  }
  matches.matched = matches.processes.size();
  std::sort(matches.processes.begin(), matches.processes.end(), is_busier);
  if (matches.processes.size() > filter.limit) matches.processes.resize(filter.limit);
  return matches;
}

Result<ProcessDetail> Sampler::detail(std::int32_t pid) const {
  const auto folder = options_.root / std::to_string(pid);
  auto stat = parse_process_stat(read_file(folder / "stat").value_or(""));
  if (!stat || stat->pid != pid) {
    return Error{ErrorCode::app_error, midplane::Fate::failed, "there is no such process"}
        .with("pid " + std::to_string(pid))
        .with_app_code(no_such_process);
  }
  ProcessDetail detail;
  detail.process.stat = std::move(*stat);
  const auto before = processes_.find(pid);
  if (before != processes_.end() && before->second.stat.started == detail.process.stat.started)
    detail.process.cpu_percent = before->second.cpu_percent;
  detail.process.rss_bytes = detail.process.stat.rss_pages * options_.page_bytes;
  detail.cpu_time = milliseconds{detail.process.stat.cpu_ticks * 1000 / options_.ticks_per_second};
  detail.command_line = parse_command_line(read_file(folder / "cmdline").value_or(""));
  detail.open_files = count_files(folder / "fd");
  return detail;
}

}  // namespace hostwatch::proc
