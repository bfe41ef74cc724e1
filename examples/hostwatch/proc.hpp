#pragma once
/// What this machine really does, read from /proc: totals, and rates between one sample and the one before.
///
///     proc::Sampler sampler;
///     auto cpu = sampler.cpu();   // the first of a kind: interval and rates are 0
///
/// One thread at a time. Processes that vanish while being read are left out.

#include <chrono>
#include <filesystem>
#include <functional>
#include <midplane/result.hpp>
#include <string>
#include <vector>

#include "proc_parse.hpp"

namespace hostwatch::proc {

/// Percent of one core's time; together 100, or all 0 in the first sample.
struct CoreLoad {
  unsigned core = 0;
  float user = 0, system = 0, idle = 0, iowait = 0, steal = 0;
};

/// Totals and rates per second.
struct InterfaceLoad {
  std::string name;
  InterfaceTotals totals;
  double rx_bytes_rate = 0, tx_bytes_rate = 0, rx_packets_rate = 0, tx_packets_rate = 0;
};
struct DiskLoad {
  std::string name;
  DiskTotals totals;
  double reads_rate = 0, read_bytes_rate = 0, writes_rate = 0, written_bytes_rate = 0;
};

struct Process {
  ProcessStat stat;
  float cpu_percent = 0;  ///< of one core
  std::uint64_t rss_bytes = 0;
};

struct ProcessDetail {
  Process process;
  std::chrono::milliseconds cpu_time{0};  ///< since it was started
  std::vector<std::string> command_line;  ///< empty for a thread of the kernel
  int open_files = -1;                    ///< -1: not ours to see
};

/// Values of one moment; rates cover `interval`, which is 0 in the first sample.
template <class Value>
struct Sample {
  std::chrono::milliseconds interval{0};
  std::vector<Value> values;
};

struct ProcessFilter {
  std::string name_contains{};
  float cpu_percent_min = 0;
  std::size_t limit = 20;
};
struct ProcessMatches {
  std::size_t matched = 0;         ///< also those beyond the limit
  std::vector<Process> processes;  ///< busiest first, then largest
};

/// The app code of a detail that can not be given because there is no such process (any more).
inline constexpr std::int32_t no_such_process = 1;

struct SamplerOptions {
  std::filesystem::path root = "/proc";
  std::function<std::chrono::nanoseconds()> now{};  ///< empty: the system's monotonic clock
  std::uint64_t ticks_per_second = 0;               ///< 0: ask the system
  std::uint64_t page_bytes = 0;                     ///< 0: ask the system
};

class Sampler {
 public:
  explicit Sampler(SamplerOptions options = {});

  // Each answers `transport_failed` when its file is missing or holds nothing that makes sense.
  [[nodiscard]] midplane::Result<Sample<CoreLoad>> cpu();
  [[nodiscard]] midplane::Result<Memory> memory() const;
  [[nodiscard]] midplane::Result<Sample<InterfaceLoad>> network();
  [[nodiscard]] midplane::Result<Sample<DiskLoad>> disks();

  /// Looks at every process and keeps what it saw for `find` and `detail`. A process that is new has 0
  /// percent.
  [[nodiscard]] midplane::Result<Sample<Process>> processes();

  /// Among the processes of the last `processes()`.
  [[nodiscard]] ProcessMatches find(const ProcessFilter& filter) const;
  /// Reads one process now; its percentage is that of the last `processes()`. Answers `app_error` with the
  /// code `no_such_process`.
  [[nodiscard]] midplane::Result<ProcessDetail> detail(std::int32_t pid) const;

 private:
  using Nanoseconds = std::chrono::nanoseconds;
  template <class Totals>
  struct Before {
    Nanoseconds at{0};
    std::map<std::string, Totals> totals;
  };

  SamplerOptions options_;
  Nanoseconds cpu_at_{0};
  std::map<unsigned, CoreTicks> cpu_before_;
  Before<InterfaceTotals> network_before_;
  Before<DiskTotals> disks_before_;
  Nanoseconds processes_at_{0};
  std::map<std::int32_t, Process> processes_;
};

}  // namespace hostwatch::proc
