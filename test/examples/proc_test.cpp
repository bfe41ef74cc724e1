#include "hostwatch/proc.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace proc = hostwatch::proc;
using namespace std::chrono_literals;

namespace {

/// A /proc of the test's own in a temporary folder, with a clock that the test moves.
class FixtureProc {
 public:
  FixtureProc() {
    std::string name = (std::filesystem::temp_directory_path() / "midplane-proc-XXXXXX").native();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~FixtureProc() { std::filesystem::remove_all(root); }
  FixtureProc(const FixtureProc&) = delete;
  FixtureProc& operator=(const FixtureProc&) = delete;

  void write(const std::string& path, std::string_view text) const {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream{root / path, std::ios::binary} << text;
  }
  void write_process(int pid, std::string_view name, int ticks, int started = 500, int rss_pages = 10) const {
    const std::string p = std::to_string(pid);
    write(p + "/stat", p + " (" + std::string{name} + ") S 1 7 7 0 -1 4194304 100 0 0 0 " +
                           std::to_string(ticks) + " 5 0 0 20 0 3 0 " + std::to_string(started) +
                           " 3133440 " + std::to_string(rss_pages) + " 18446744073709551615 1 1 0 0 0\n");
  }
  [[nodiscard]] proc::Sampler sampler() {
    return proc::Sampler{
        {.root = root, .now = [this] { return now; }, .ticks_per_second = 100, .page_bytes = 4096}};
  }

  std::filesystem::path root;
  std::chrono::nanoseconds now = 1000s;
};

template <class Values>
const auto* named(const Values& values, std::string_view name) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.name == name; });
  return found == values.end() ? nullptr : &*found;
}

constexpr std::string_view net_head =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
    "carrier "
    "compressed\n";

}  // namespace

TEST_CASE("core loads are the shares of the time between two samples") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write(
      "stat",
      "cpu  300 0 0 0 0 0 0 0 0 0\ncpu0 100 0 50 800 50 0 0 0 0 0\ncpu1 0 0 0 1000 0 0 0 0 0 0\nintr 5\n");
  auto first = sampler.cpu();
  REQUIRE(first);
  CHECK(first->interval == 0ms);
  REQUIRE(first->values.size() == 2);
  CHECK(first->values[0].idle == 0);

  fixture.now += 1s;
  fixture.write(
      "stat",
      "cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 120 10 60 840 60 5 5 0 0 0\ncpu1 0 0 0 1075 0 0 0 25 0 0\nintr 6\n");
  auto second = sampler.cpu();
  REQUIRE(second);
  CHECK(second->interval == 1000ms);
  const auto& core = second->values.at(0);
  CHECK(core.user == doctest::Approx(30));
  CHECK(core.system == doctest::Approx(20));
  CHECK(core.idle == doctest::Approx(40));
  CHECK(core.iowait == doctest::Approx(10));
  CHECK(second->values.at(1).steal == doctest::Approx(25));
  CHECK(second->values.at(1).idle == doctest::Approx(75));
}

TEST_CASE("a core counter that goes backwards counts as no time") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write("stat", "cpu0 100 0 0 1000 500 0 0 0\n");
  REQUIRE(sampler.cpu());
  fixture.write("stat", "cpu0 150 0 0 1050 400 0 0 0\n");
  auto sample = sampler.cpu();
  REQUIRE(sample);
  CHECK(sample->values.at(0).user == doctest::Approx(50));
  CHECK(sample->values.at(0).iowait == 0);
}

TEST_CASE("a core that comes later starts with zeros") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write("stat", "cpu0 1 0 0 1 0 0 0 0\n");
  REQUIRE(sampler.cpu());
  fixture.write("stat", "cpu0 2 0 0 2 0 0 0 0\ncpu3 9 0 0 9 0 0 0 0\n");
  auto sample = sampler.cpu();
  REQUIRE(sample);
  REQUIRE(sample->values.size() == 2);
  CHECK(sample->values[1].core == 3);
  CHECK(sample->values[1].user == 0);
}

TEST_CASE("lines of stat that make no sense are left out") {
  const auto cores = proc::parse_stat(
      "cpu0 1 2 3\ncpuX 1 1 1 1 1 1 1 1\ncpu1 1 -1 1 1 1 1 1 1\n\n\xff\xfe\ncpu2 1 1 1 1 1 1 1 1");
  REQUIRE(cores.size() == 1);
  CHECK(cores.at(2).total() == 8);
}

TEST_CASE("memory is given in bytes") {
  FixtureProc fixture;
  fixture.write(
      "meminfo",
      "MemTotal:       1000 kB\nMemFree:         400 kB\nMemAvailable:    600 kB\nBuffers:  10 kB\n"
      "Cached:  20 kB\nSwapCached: 99 kB\nSwapTotal: 50 kB\nSwapFree: many kB\nHugePages_Total: 0\n");
  const auto memory = fixture.sampler().memory();
  REQUIRE(memory);
  CHECK(memory->total == 1000 * 1024);
  CHECK(memory->available == 600 * 1024);
  CHECK(memory->cached == 20 * 1024);
  CHECK(memory->swap_total == 50 * 1024);
  CHECK(memory->swap_free == 0);
}

TEST_CASE("network rates are per second of the interval") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write(
      "net/dev",
      std::string{net_head} +
          "  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n    lo:5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n");
  auto first = sampler.network();
  REQUIRE(first);
  CHECK(first->values.size() == 2);
  fixture.now += 500ms;
  fixture.write("net/dev", std::string{net_head} +
                               "  eth0: 2000 15 1 2 0 0 0 0 2000 30 3 4 0 0 0 0\n    lo:1 1 0 0 0 0 0 0 5 1 "
                               "0 0 0 0 0 0\n  wg0: 1 2\n");
  auto second = sampler.network();
  REQUIRE(second);
  CHECK(second->interval == 500ms);
  REQUIRE(second->values.size() == 2);
  const auto* eth0 = named(second->values, "eth0");
  REQUIRE(eth0);
  CHECK(eth0->totals.rx.errors == 1);
  CHECK(eth0->totals.tx.dropped == 4);
  CHECK(eth0->rx_bytes_rate == doctest::Approx(2000));
  CHECK(eth0->rx_packets_rate == doctest::Approx(10));
  CHECK(eth0->tx_bytes_rate == doctest::Approx(0));
  CHECK(eth0->tx_packets_rate == doctest::Approx(20));
  const auto* lo = named(second->values, "lo");
  REQUIRE(lo);
  CHECK(lo->rx_bytes_rate == 0);  // it was reset
}

TEST_CASE("disks are whole devices that did something, without their partitions") {
  const auto disks = proc::parse_diskstats(
      " 8 0 sda 10 0 100 5 20 0 200 9 0 1 2\n 8 1 sda1 9 0 90 5 20 0 200 9 0 1 2\n"
      " 259 0 nvme0n1 1 0 8 0 0 0 0 0 0 0 0\n 259 1 nvme0n1p2 1 0 8 0 0 0 0 0 0 0 0\n"
      " 253 1 dm-1 1 0 8 0 0 0 0 0\n 253 10 dm-10 1 0 8 0 0 0 0 0\n 7 0 loop0 5 0 5 0 0 0 0 0\n"
      " 254 0 vda 0 0 0 0 0 0 0 0 0 0 0\n 8 16 sdb broken\nnonsense\n");
  REQUIRE(disks.size() == 4);
  CHECK(disks.at("sda").read_bytes == 51200);
  CHECK(disks.at("sda").written_bytes == 102400);
  CHECK(disks.contains("nvme0n1"));
  CHECK(disks.contains("dm-1"));
  CHECK(disks.contains("dm-10"));
}

TEST_CASE("disk rates are per second of the interval") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write("diskstats", " 8 0 sda 10 0 100 5 20 0 200 9\n");
  REQUIRE(sampler.disks());
  fixture.now += 2s;
  fixture.write("diskstats", " 8 0 sda 14 0 140 5 20 0 204 9\n");
  const auto sample = sampler.disks();
  REQUIRE(sample);
  const auto& disk = sample->values.at(0);
  CHECK(disk.reads_rate == doctest::Approx(2));
  CHECK(disk.read_bytes_rate == doctest::Approx(10240));
  CHECK(disk.writes_rate == doctest::Approx(0));
  CHECK(disk.written_bytes_rate == doctest::Approx(1024));
}

TEST_CASE("a process may be called anything") {
  const auto process =
      proc::parse_process_stat("42 (a) S (b c) R 7 1 1 0 -1 4 1 0 0 0 30 12 0 0 20 0 5 0 777 1 99 1\n");
  REQUIRE(process);
  CHECK(process->name == "a) S (b c");
  CHECK(process->state == 'R');
  CHECK(process->parent == 7);
  CHECK(process->cpu_ticks == 42);
  CHECK(process->threads == 5);
  CHECK(process->started == 777);
  CHECK(process->rss_pages == 99);
}

TEST_CASE("a process line that is cut off or makes no sense is none") {
  const std::string whole = "42 (a) R 7 1 1 0 -1 4 1 0 0 0 30 12 0 0 20 0 5 0 777 1 99";
  REQUIRE(proc::parse_process_stat(whole));
  for (std::size_t length = 0; length + 2 < whole.size(); ++length)
    CHECK_FALSE(proc::parse_process_stat(whole.substr(0, length)));
  CHECK_FALSE(proc::parse_process_stat(") 42 ("));
  CHECK_FALSE(proc::parse_process_stat("x (a) R 7 1 1 0 -1 4 1 0 0 0 30 12 0 0 20 0 5 0 777 1 99"));
  CHECK_FALSE(proc::parse_process_stat("42 (a) R 7 1 1 0 -1 4 1 0 0 0 thirty 12 0 0 20 0 5 0 777 1 99"));
}

TEST_CASE("the busiest process comes first, and a new one starts at zero") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write_process(10, "lazy", 100);
  fixture.write_process(11, "busy", 100);
  fixture.write("self/stat", "garbage");
  fixture.write("12/stat", "12 (cut");
  fixture.write("13/other", "");
  auto first = sampler.processes();
  REQUIRE(first);
  CHECK(first->values.size() == 2);

  fixture.now += 2s;
  fixture.write_process(10, "lazy", 110);
  fixture.write_process(11, "busy", 400);
  fixture.write_process(14, "new", 9000, 600, 77);
  auto second = sampler.processes();
  REQUIRE(second);
  CHECK(second->interval == 2000ms);
  REQUIRE(second->values.size() == 3);
  CHECK(second->values[0].stat.name == "busy");
  CHECK(second->values[0].cpu_percent == doctest::Approx(150));
  CHECK(second->values[1].cpu_percent == doctest::Approx(5));
  CHECK(second->values[2].stat.name == "new");
  CHECK(second->values[2].cpu_percent == 0);
  CHECK(second->values[2].rss_bytes == 77 * 4096);
}

TEST_CASE("a process that took over a pid is a new one") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write_process(10, "old", 100, 500);
  REQUIRE(sampler.processes());
  fixture.now += 1s;
  fixture.write_process(10, "young", 150, 600);
  auto sample = sampler.processes();
  REQUIRE(sample);
  CHECK(sample->values.at(0).cpu_percent == 0);
}

TEST_CASE("a process that vanished is left out") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write_process(10, "stays", 1);
  fixture.write_process(11, "goes", 1);
  REQUIRE(sampler.processes());
  std::filesystem::remove(fixture.root / "11" / "stat");
  auto sample = sampler.processes();
  REQUIRE(sample);
  REQUIRE(sample->values.size() == 1);
  CHECK(sample->values[0].stat.name == "stays");
  CHECK(sampler.find({}).matched == 1);
}

TEST_CASE("processes are found by name, load and limit") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  for (int pid = 1; pid <= 5; ++pid) fixture.write_process(pid, pid % 2 ? "odd-worker" : "even", 0);
  REQUIRE(sampler.processes());
  fixture.now += 1s;
  for (int pid = 1; pid <= 5; ++pid) fixture.write_process(pid, pid % 2 ? "odd-worker" : "even", 10 * pid);
  REQUIRE(sampler.processes());

  CHECK(sampler.find({}).processes.size() == 5);
  CHECK(sampler.find({.name_contains = "work"}).matched == 3);
  CHECK(sampler.find({.cpu_percent_min = 35}).matched == 2);
  CHECK(sampler.find({.name_contains = "none"}).processes.empty());
  const auto matches = sampler.find({.name_contains = "odd", .limit = 2});
  CHECK(matches.matched == 3);
  REQUIRE(matches.processes.size() == 2);
  CHECK(matches.processes[0].stat.pid == 5);
  CHECK(matches.processes[1].stat.pid == 3);
  CHECK(sampler.find({.limit = 0}).processes.empty());
}

TEST_CASE("a detail has the command line, times and files of one process") {
  FixtureProc fixture;
  auto sampler = fixture.sampler();
  fixture.write_process(10, "server", 120);
  fixture.write("10/cmdline", std::string_view{"/bin/server\0--port\0\0x y\0\0\0", 25});
  fixture.write("10/fd/0", "");
  fixture.write("10/fd/1", "");
  const auto detail = sampler.detail(10);
  REQUIRE(detail);
  CHECK(detail->process.stat.name == "server");
  CHECK(detail->process.stat.parent == 1);
  CHECK(detail->process.stat.threads == 3);
  CHECK(detail->cpu_time == 1250ms);
  CHECK(detail->open_files == 2);
  CHECK(detail->command_line == std::vector<std::string>{"/bin/server", "--port", "", "x y"});
  CHECK(proc::state_name(detail->process.stat.state) == "sleeping");

  fixture.write_process(11, "kworker", 0);
  const auto kernel = sampler.detail(11);
  REQUIRE(kernel);
  CHECK(kernel->command_line.empty());
  CHECK(kernel->open_files == -1);
}

TEST_CASE("the detail of a process that is not there says so") {
  FixtureProc fixture;
  const auto sampler = fixture.sampler();
  for (const int pid : {99, 0, -1}) {
    const auto detail = sampler.detail(pid);
    REQUIRE_FALSE(detail);
    CHECK(detail.error().code() == midplane::ErrorCode::app_error);
    CHECK(detail.error().app_code() == proc::no_such_process);
  }
}

TEST_CASE("a /proc that is not there is an error with its path") {
  proc::Sampler sampler{{.root = "/nowhere/proc"}};
  const auto cpu = sampler.cpu();
  REQUIRE_FALSE(cpu);
  CHECK(cpu.error().code() == midplane::ErrorCode::transport_failed);
  CHECK(cpu.error().detail() == "/nowhere/proc/stat");
  CHECK_FALSE(sampler.memory());
  CHECK_FALSE(sampler.network());
  CHECK_FALSE(sampler.disks());
  CHECK_FALSE(sampler.processes());
}

TEST_CASE("the real /proc makes sense and has this process in it") {
  proc::Sampler sampler;
  REQUIRE(sampler.cpu());
  const auto cpu = sampler.cpu();
  REQUIRE(cpu);
  CHECK_FALSE(cpu->values.empty());
  for (const auto& core : cpu->values) {
    const float sum = core.user + core.system + core.idle + core.iowait + core.steal;
    CHECK((sum == 0 || sum == doctest::Approx(100).epsilon(0.001)));
  }
  const auto memory = sampler.memory();
  REQUIRE(memory);
  CHECK(memory->total > memory->free);
  CHECK(sampler.network());
  REQUIRE(sampler.processes());
  REQUIRE(sampler.processes());
  const auto self = sampler.detail(getpid());
  REQUIRE(self);
  CHECK(self->process.stat.state == 'R');
  CHECK(self->process.rss_bytes > 0);
  CHECK(self->open_files >= 3);
  CHECK_FALSE(self->command_line.empty());
}
