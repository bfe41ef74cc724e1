#include "proc_parse.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace hostwatch::proc {

namespace {

constexpr std::uint64_t sector_bytes = 512;  // /proc/diskstats counts in these, whatever the device's own are

/// Calls `use` with each line.
template <class Use>
void each_line(std::string_view text, Use&& use) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    use(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

/// Takes the next word off the front of `line`; empty at its end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\n"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t\n"));
  line.remove_prefix(word.size());
  return word;
}

template <class Number>
bool read_number(std::string_view word, Number& number) {
  const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
  return fault == std::errc{} && end == word.data() + word.size() && !word.empty();
}

/// Fills `numbers` from the front of `line`; false when there are fewer or one is no number.
template <std::size_t count>
bool take_numbers(std::string_view& line, std::array<std::uint64_t, count>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [&](auto& number) { return read_number(take_word(line), number); });
}

bool is_partition_of(std::string_view name, std::string_view disk) {
  if (name.size() <= disk.size() || !name.starts_with(disk)) return false;
  name.remove_prefix(disk.size());
  const bool disk_ends_in_digit = disk.back() >= '0' && disk.back() <= '9';
  if (disk_ends_in_digit && name.front() != 'p') return false;
  if (disk_ends_in_digit) name.remove_prefix(1);
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::map<unsigned, CoreTicks> parse_stat(std::string_view text) {
  std::map<unsigned, CoreTicks> cores;
  each_line(text, [&](std::string_view line) {
    const std::string_view name = take_word(line);
    unsigned core = 0;
    if (!name.starts_with("cpu") || !read_number(name.substr(3), core)) return;
    std::array<std::uint64_t, 8>
        ticks{};  // user nice system idle iowait irq softirq steal; guest is part of user
    if (!take_numbers(line, ticks)) return;
    cores[core] = {.user = ticks[0] + ticks[1],
                   .system = ticks[2] + ticks[5] + ticks[6],
                   .idle = ticks[3],
                   .iowait = ticks[4],
                   .steal = ticks[7]};
  });
  return cores;
}

std::optional<Memory> parse_meminfo(std::string_view text) {
  Memory memory;
  const std::array<std::pair<std::string_view, std::uint64_t*>, 7> wanted{
      {{"MemTotal:", &memory.total},
       {"MemFree:", &memory.free},
       {"MemAvailable:", &memory.available},
       {"Buffers:", &memory.buffers},
       {"Cached:", &memory.cached},
       {"SwapTotal:", &memory.swap_total},
       {"SwapFree:", &memory.swap_free}}};
  each_line(text, [&](std::string_view line) {
    const std::string_view key = take_word(line);
    const auto* const found =
        std::find_if(wanted.begin(), wanted.end(), [&](const auto& row) { return row.first == key; });
    std::uint64_t kibibytes = 0;
    if (found != wanted.end() && read_number(take_word(line), kibibytes)) *found->second = kibibytes * 1024;
  });
  if (memory.total == 0) return std::nullopt;
  return memory;
}

std::map<std::string, InterfaceTotals> parse_net_dev(std::string_view text) {
  std::map<std::string, InterfaceTotals> interfaces;
  each_line(text, [&](std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view before = line.substr(0, colon);
    const std::string_view name = take_word(before);
    line.remove_prefix(colon + 1);
    std::array<std::uint64_t, 16>
        counts{};  // rx: bytes packets errors dropped fifo frame compressed multicast; then tx
    if (name.empty() || !take_numbers(line, counts)) return;
    interfaces[std::string{name}] = {.rx = {counts[0], counts[1], counts[2], counts[3]},
                                     .tx = {counts[8], counts[9], counts[10], counts[11]}};
  });
  return interfaces;
}

std::map<std::string, DiskTotals> parse_diskstats(std::string_view text) {
  std::map<std::string, DiskTotals> disks;
  each_line(text, [&](std::string_view line) {
    std::array<std::uint64_t, 2> device{};
    if (!take_numbers(line, device)) return;
    const std::string_view name = take_word(line);
    std::array<std::uint64_t, 7> counts{};  // reads merged sectors ms, writes merged sectors
    if (name.empty() || name.starts_with("loop") || name.starts_with("ram") || !take_numbers(line, counts))
      return;
    if (counts[0] == 0 && counts[4] == 0) return;
    disks[std::string{name}] = {.reads = counts[0],
                                .read_bytes = counts[2] * sector_bytes,
                                .writes = counts[4],
                                .written_bytes = counts[6] * sector_bytes};
  });
  std::erase_if(disks, [&](const auto& entry) {
    return std::any_of(disks.begin(), disks.end(),
                       [&](const auto& disk) { return is_partition_of(entry.first, disk.first); });
  });
  return disks;
}

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // The name is whatever the process says, parentheses and spaces too: it ends at the last one.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcessStat process;
  std::string_view before = text.substr(0, open);
  if (!read_number(take_word(before), process.pid)) return std::nullopt;
  process.name = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);

  std::array<std::string_view, 22> words;  // from the state, which is the third of the file, to rss, the 24th
  for (auto& word : words) word = take_word(text);
  std::uint64_t user = 0, system = 0;
  std::int64_t rss = 0;
  if (words[0].size() != 1 || !read_number(words[1], process.parent) || !read_number(words[11], user) ||
      !read_number(words[12], system) || !read_number(words[17], process.threads) ||
      !read_number(words[19], process.started) || !read_number(words[21], rss))
    return std::nullopt;
  process.state = words[0][0];
  process.cpu_ticks = user + system;
  process.rss_pages = static_cast<std::uint64_t>(std::max<std::int64_t>(rss, 0));
  return process;
}

std::vector<std::string> parse_command_line(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!words.empty() && words.back().empty())
    words.pop_back();  // padding of a process that renamed itself
  return words;
}

std::string_view state_name(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "waiting";
    case 'T':
      return "stopped";
    case 't':
      return "traced";
    case 'Z':
      return "zombie";
    case 'X':
      return "dead";
    case 'I':
      return "idle";
    default:
      return "unknown";
  }
}

}  // namespace hostwatch::proc
