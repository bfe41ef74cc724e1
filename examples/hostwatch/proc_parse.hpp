#pragma once
/// The texts of /proc as plain values. Lines that make no sense are left out: a kernel may add some any day.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostwatch::proc {

/// Clock ticks of one core since boot.
struct CoreTicks {
  std::uint64_t user = 0, system = 0, idle = 0, iowait = 0, steal = 0;
  [[nodiscard]] std::uint64_t total() const { return user + system + idle + iowait + steal; }
};

/// In bytes.
struct Memory {
  std::uint64_t total = 0, free = 0, available = 0, buffers = 0, cached = 0, swap_total = 0, swap_free = 0;
};

/// One direction of an interface, since it came up.
struct Traffic {
  std::uint64_t bytes = 0, packets = 0, errors = 0, dropped = 0;
};
struct InterfaceTotals {
  Traffic rx, tx;
};

/// One device since boot.
struct DiskTotals {
  std::uint64_t reads = 0, read_bytes = 0, writes = 0, written_bytes = 0;
};

/// /proc/PID/stat.
struct ProcessStat {
  std::int32_t pid = 0;
  std::string name;
  char state = '?';
  std::int32_t parent = 0;
  std::uint64_t cpu_ticks = 0;  ///< user and system
  std::uint32_t threads = 0;
  std::uint64_t started = 0;  ///< ticks after boot; with the pid it names a process for ever
  std::uint64_t rss_pages = 0;
};

[[nodiscard]] std::map<unsigned, CoreTicks> parse_stat(std::string_view text);
[[nodiscard]] std::optional<Memory> parse_meminfo(std::string_view text);
[[nodiscard]] std::map<std::string, InterfaceTotals> parse_net_dev(std::string_view text);
/// Devices that ever did something; no partitions, no loop or RAM devices.
[[nodiscard]] std::map<std::string, DiskTotals> parse_diskstats(std::string_view text);
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);
/// Arguments are separated by NUL bytes.
[[nodiscard]] std::vector<std::string> parse_command_line(std::string_view text);
/// The word for a state letter: `sleeping` for S.
[[nodiscard]] std::string_view state_name(char state);

}  // namespace hostwatch::proc
