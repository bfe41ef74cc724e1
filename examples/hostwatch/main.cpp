// hostwatch: what hosts do, over the bus. One program: an agent that publishes, a watcher that looks, and a demo of both.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include <midplane/zmq.hpp>

#include "agent.hpp"
#include "commands.hpp"
#include "table.hpp"
#include "watcher.hpp"

namespace {

using hostwatch::Options;
using hostwatch::trouble;
using midplane::Bus;
using namespace std::chrono_literals;

constexpr auto for_ever = std::chrono::steady_clock::time_point::max();

int agent(const Options& options) {
  auto bus = Bus::open({.name = "agent-" + options.name, .heartbeat = std::chrono::milliseconds{options.heartbeat_ms}});
  if (!bus) return trouble("no bus", bus.error());
  auto agent = hostwatch::Agent::start(*bus, options.name, std::chrono::milliseconds{options.interval_ms}, options.log);
  if (!agent) return trouble("the agent did not start", agent.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.listen = {options.listen}})); !attached)
    return trouble("can not listen", attached.error());
  std::cout << bus->listening().front() << std::endl;
  const bool piped = isatty(STDIN_FILENO) == 0;
  hostwatch::wait_until(for_ever, piped);
  static_cast<void>(bus->close(1s));
  return 0;
}

int watch(const Options& options) {
  auto bus = Bus::open({.name = "watcher-" + std::to_string(getpid()), .heartbeat = std::chrono::milliseconds{options.heartbeat_ms}});
  if (!bus) return trouble("no bus", bus.error());
  auto watcher = hostwatch::Watcher::start(*bus, "zmq");
  if (!watcher) return trouble("no watcher", watcher.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.peers = options.peers})); !attached)
    return trouble("can not dial", attached.error());
  if (auto confirmed = (*watcher)->wait_confirmed(5s); !confirmed)
    std::cerr << "hostwatch: not every agent has answered yet; watching the others\n";
  const auto now = std::chrono::steady_clock::now();
  const auto end = options.seconds == 0 ? for_ever : now + std::chrono::seconds{options.seconds};
  if (isatty(STDOUT_FILENO) != 0 && !options.json) {
    for (auto next = now + 1s; next < end && hostwatch::wait_until(next); next += 1s)
      std::cout << "\x1b[H\x1b[2J" << as_table((*watcher)->so_far()) << as_table((*watcher)->timeline()) << std::flush;
  }
  hostwatch::wait_until(end);
  const auto seen = (*watcher)->so_far();
  if (options.json)
    std::cout << "{\"topics\":" << as_json(seen) << ",\"timeline\":" << as_json((*watcher)->timeline()) << "}\n";
  else
    std::cout << as_table(seen) << as_table((*watcher)->timeline());
  if (seen.empty()) std::cerr << "hostwatch: nothing came; is an agent listening at the address?\n";
  static_cast<void>(bus->close(1s));
  return 0;
}

/// Ctrl-C ends it like any process: the agent sees its reader gone.
int tail(const Options& options) {
  auto bus = Bus::open({.name = "reader-" + std::to_string(getpid()), .heartbeat = std::chrono::milliseconds{options.heartbeat_ms}});
  if (!bus) return trouble("no bus", bus.error());
  auto watcher = hostwatch::Watcher::start(*bus, "zmq");
  if (!watcher) return trouble("no watcher", watcher.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.peers = options.peers})); !attached)
    return trouble("can not dial", attached.error());
  auto lines = (*watcher)->open_log(options.name, options.last, options.follow);
  if (!lines) return trouble("no log", lines.error());
  while (true) {
    auto line = lines->next(1s);
    if (line && !*line) return 0;
    if (line) std::cout << (**line)->number() << "  " << (**line)->text()->c_str() << std::endl;
    else if (line.error().fate() != midplane::Fate::not_started || line.error().code() != midplane::ErrorCode::timed_out)
      return trouble("the log ended", line.error());
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What hosts do, over the Midplane bus: CPU, memory, network, disks, busiest processes, and their log.\n"
               "Exit codes: 0 fine, 1 the ledger of ids does not add up, 2 wrong arguments, 3 trouble while running.\n"
               "  hostwatch demo --seconds 10\n"
               "  hostwatch agent --name db1 --listen tcp://127.0.0.1:7400 --log db1.log\n"
               "  hostwatch watch --peer tcp://127.0.0.1:7400\n"
               "  hostwatch tail --peer tcp://127.0.0.1:7400 --name db1 --follow"};
  app.require_subcommand(1);
  Options options;
  auto* agent_command = app.add_subcommand("agent", "publish host.NAME.* and answer questions until Ctrl-C; prints where it listens");
  agent_command->add_option("--listen", options.listen, "tcp://HOST:PORT or ipc://PATH; port 0 chooses one");
  agent_command->add_option("--log", options.log, "a file for one line per sample published, which `tail` reads");
  auto* watch_command = app.add_subcommand("watch", "subscribe host.*.> at agents and show a table each second");
  auto* tail_command = app.add_subcommand("tail", "print the end of an agent's log");
  tail_command->add_option("--last", options.last, "how many lines of those there are");
  tail_command->add_flag("--follow", options.follow, "and each new line until Ctrl-C");
  auto* demo_command = app.add_subcommand("demo", "agents in three processes; one is stopped for a while, one killed and restarted");
  for (auto* command : {agent_command, tail_command}) {
    command->add_option("--name", options.name, "the token in the topics")->check([](const std::string& name) {
      return name == midplane::escape_token(name) ? std::string{} : "--name takes letters, digits, '_' and '-'";
    });
  }
  for (auto* command : {watch_command, tail_command})
    command->add_option("--peer", options.peers, "an agent's address; may be repeated")->required();
  for (auto* command : {agent_command, demo_command})
    command->add_option("--interval", options.interval_ms, "milliseconds between samples")->check(CLI::Range(1, 60'000));
  for (auto* command : {agent_command, watch_command, tail_command})
    command->add_option("--heartbeat", options.heartbeat_ms, "milliseconds; a peer silent for three is lost")->check(CLI::Range(10, 60'000));
  for (auto* command : {watch_command, demo_command}) {
    command->add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0, 86'400));
    command->add_flag("--json", options.json, "for programs");
  }
  const auto is_first = [&](const CLI::App* command) { return argc > 1 && command->check_name(argv[1]); };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_first).empty()) {
    std::cerr << "hostwatch: no subcommand " << argv[1] << "; there are agent, watch, tail and demo\n";
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (tail_command->parsed()) return tail(options);
  hostwatch::catch_signals();
  if (agent_command->parsed()) return agent(options);
  return watch_command->parsed() ? watch(options) : hostwatch::demo(options);
}
