// The demo: an agent in this process, two in processes of their own. One of them is stopped for a while, the other one
// is killed and started again. What was lost must be told by gaps, or have died with the process: nothing is unexplained.

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include <midplane/zmq.hpp>

#include "agent.hpp"
#include "child.hpp"
#include "commands.hpp"
#include "table.hpp"
#include "watcher.hpp"

namespace hostwatch {
namespace {

using midplane::Bus;
using midplane::Error;
using midplane::ErrorCode;
using midplane::Result;
using namespace std::chrono_literals;

constexpr auto heartbeat = 250ms;  // a silent peer is lost after three
constexpr unsigned tail_lines = 120;

/// A directory for the logs, for as long as the demo runs.
struct Directory {
  std::string path = (std::filesystem::temp_directory_path() / "hostwatch-XXXXXX").string();
  Directory() {
    if (!mkdtemp(path.data())) path.clear();
  }
  Directory(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
};

/// An agent in a process of its own.
struct FarAgent {
  Child process;
  std::string endpoint;
};

Result<FarAgent> start_agent(const std::string& name, const std::string& listen, const Directory& logs, int interval_ms) {
  auto process = Child::start({"agent", "--name", name, "--listen", listen, "--log", logs.path + "/" + name + ".log",
                               "--interval", std::to_string(interval_ms), "--heartbeat", std::to_string(heartbeat.count())});
  if (!process) return process.error();
  auto endpoint = process->read_line();
  if (!endpoint) return endpoint.error();
  return FarAgent{std::move(*process), std::move(*endpoint)};
}

/// What the log of an agent gave by stream.
struct LogRead {
  unsigned lines = 0;
  bool in_order = true;
  bool dropped = false;  ///< by us; the agent knows that nobody reads any more
  std::string ended_by;  ///< the agent that was killed: how its stream ended
};

/// Reads `lines` lines, more than there is credit for and some not written yet, and drops the stream.
Result<void> read_log(Watcher& watcher, const std::string& host, unsigned lines, LogRead& read) {
  {
    auto log = watcher.open_log(host, 100, true);
    if (!log) return log.error();
    for (std::uint64_t before = 0; read.lines < lines; ++read.lines) {
      const auto line = log->next(5s);
      if (!line) return line.error();
      if (!*line) return Error{ErrorCode::closed, "the log ended early"};
      read.in_order &= before == 0 || (**line)->number() == before + 1;
      before = (**line)->number();
    }
  }
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (!read.dropped && std::chrono::steady_clock::now() < end) {
    const auto counted = watcher.counters(host, 1s);
    if (!counted) return counted.error();
    read.dropped = (*counted)->tails() == 0;
  }
  return midplane::ok();
}

Result<void> expect(Watcher& watcher, const std::string& host, const char* what, int times) {
  if (watcher.wait_for(host, what, times, 5s)) return midplane::ok();
  return Error{ErrorCode::timed_out, "an event did not come"}.with(host + " " + what);
}

/// Stopped, a process is as silent as one behind a cut cable; then it goes on where it was.
Result<void> stop_and_continue(Watcher& watcher, FarAgent& agent) {
  watcher.add("stopped", "SIGSTOP", "by the demo");
  agent.process.signal(SIGSTOP);
  if (auto lost = expect(watcher, "stopped", "peer_lost", 1); !lost) return lost;
  watcher.add("stopped", "SIGCONT", "by the demo");
  agent.process.signal(SIGCONT);
  return expect(watcher, "stopped", "recovered", 1);
}

Result<void> kill_and_restart(Watcher& watcher, FarAgent& agent, const Directory& logs, int interval_ms, LogRead& read) {
  auto log = watcher.open_log("killed", 0, true);
  if (!log) return log.error();
  if (auto first = log->next(5s); !first) return first.error();
  watcher.add("killed", "SIGKILL", "by the demo");
  agent.process.kill();
  if (auto lost = expect(watcher, "killed", "peer_lost", 1); !lost) return lost;
  auto line = log->next(5s);
  while (line && *line) line = log->next(5s);
  read.ended_by = line ? "its end" : std::string{midplane::name_of(line.error().code())};
  watcher.add("killed", "log stream ended", read.ended_by);
  auto again = start_agent("killed", agent.endpoint, logs, interval_ms);
  if (!again) return again.error();
  watcher.add("killed", "started again", "by the demo");
  agent = std::move(*again);
  if (auto changed = expect(watcher, "killed", "incarnation_changed", 1); !changed) return changed;
  return expect(watcher, "killed", "recovered", 1);
}

std::string as_json(const LogRead& read) {
  return "{\"lines\":" + std::to_string(read.lines) + ",\"in_order\":" + (read.in_order ? "true" : "false") +
         ",\"dropped\":" + (read.dropped ? "true" : "false") + ",\"killed_ended_by\":\"" + read.ended_by + "\"}";
}

}  // namespace

int demo(const Options& options) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{options.seconds};
  const auto part = std::chrono::milliseconds{std::chrono::seconds{options.seconds}} / 3;
  // One agent and one watcher on one bus: the topics never leave the process.
  auto inside = Bus::open({.name = "inside"});
  if (!inside) return trouble("no bus", inside.error());
  auto near = Watcher::start(*inside, "in process");
  if (!near) return trouble("no watcher", near.error());
  auto own = Agent::start(*inside, "inside", std::chrono::milliseconds{options.interval_ms});
  if (!own) return trouble("the agent did not start", own.error());

  // Two agents in processes of their own, watched over ZeroMQ.
  const Directory logs;
  auto stopped = start_agent("stopped", options.listen, logs, options.interval_ms);
  if (!stopped) return trouble("no second process", stopped.error());
  auto killed = start_agent("killed", options.listen, logs, options.interval_ms);
  if (!killed) return trouble("no third process", killed.error());
  auto bus = Bus::open({.name = "watcher", .heartbeat = heartbeat});
  if (!bus) return trouble("no bus", bus.error());
  auto far = Watcher::start(*bus, "zmq tcp");
  if (!far) return trouble("no watcher", far.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.peers = {stopped->endpoint, killed->endpoint}})); !attached)
    return trouble("can not dial the agents", attached.error());
  if (auto confirmed = (*far)->wait_confirmed(5s); !confirmed) return trouble("the agents do not answer", confirmed.error());
  if (!options.json)
    std::cout << "watching this machine for " << options.seconds << " s: an agent in this process, one behind "
              << stopped->endpoint << ", one behind " << killed->endpoint << "\n" << std::endl;

  const auto failed = [&far](const char* what, const Error& error) {
    std::cerr << as_table((*far)->timeline());
    return trouble(what, error);
  };
  LogRead read;
  wait_until(end - 2 * part);
  if (auto done = read_log(**far, "stopped", tail_lines, read); !done) return failed("the log can not be read", done.error());
  if (auto done = stop_and_continue(**far, *stopped); !done) return failed("the stopped agent", done.error());
  wait_until(end - part);
  if (auto done = kill_and_restart(**far, *killed, logs, options.interval_ms, read); !done)
    return failed("the killed agent", done.error());
  // The second run is watched for a while, also when the steps before took longer than they should.
  wait_until(std::max(end, std::chrono::steady_clock::now() + 500ms));

  const auto asked = (*far)->ask("stopped");
  const auto json = (*far)->last_as_json(".memory");
  auto results = (*near)->settle({"inside"}, 2s);
  if (!results) return failed("the agent in this process does not tell its counters", results.error());
  const auto outside = (*far)->settle({"killed", "stopped"}, 2s);
  if (!outside) return failed("the agents do not tell what they published", outside.error());
  results->insert(results->end(), outside->begin(), outside->end());
  const bool log_fine = read.lines == tail_lines && read.in_order && read.dropped && read.ended_by == "peer_lost";
  // Five topics of four runs: one of the agents was started twice.
  const bool adds_up = results->size() == 20 && std::all_of(results->begin(), results->end(), [](const TopicResult& result) {
                         return result.adds_up() && result.delivered > 0;
                       });
  if (options.json) {
    std::cout << "{\"adds_up\":" << (adds_up ? "true" : "false") << ",\"topics\":" << as_json(*results)
              << ",\"timeline\":" << as_json((*far)->timeline()) << ",\"log\":" << as_json(read) << "}\n";
  } else {
    std::cout << "what happened to the links and when:\n" << as_table((*far)->timeline()) << "\nread " << read.lines
              << " lines of the log of \"stopped\" as a stream, "
              << (read.in_order ? "in order" : "NOT IN ORDER") << ", then dropped it\n";
    std::cout << (asked ? *asked : asked.error().message() + "\n");
    std::cout << "one message, decoded by the schema that travels with its type:\n  "
              << (json ? *json : json.error().message()) << "\n\n";
    std::cout << "Each sample has an id; it was delivered once, or is lost for a known reason. Times from publish to handler.\n\n"
              << as_table(by_agent(*results)) << '\n';
    std::cout << (adds_up ? "the ledger adds up: every id is accounted for\n" : "THE LEDGER DOES NOT ADD UP\n" + as_table(*results));
  }
  static_cast<void>(bus->close(1s));
  const int ended = std::max(stopped->process.end(), killed->process.end());
  if (ended != 0) std::cerr << "hostwatch: an agent ended with exit code " << ended << '\n';
  own->reset();
  static_cast<void>(inside->close(1s));
  if (!adds_up) return exit_ledger;
  return log_fine ? ended : exit_trouble;
}

}  // namespace hostwatch
