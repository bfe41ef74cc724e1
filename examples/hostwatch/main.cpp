// hostwatch: what hosts do, over the bus. One program: an agent that publishes, a watcher that looks, and a demo of both.

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include <midplane/zmq.hpp>

#include "agent.hpp"
#include "child.hpp"
#include "table.hpp"
#include "watcher.hpp"

namespace {

using midplane::Bus;
using namespace std::chrono_literals;

constexpr int exit_ledger = 1;
constexpr int exit_trouble = 3;

struct Options {
  std::string name = "here";
  std::string listen = "tcp://127.0.0.1:0";
  std::vector<std::string> peers;
  int interval_ms = 100;
  int seconds = 10;
  bool json = false;
};

int trouble(const char* what, const midplane::Error& error) {
  std::cerr << "hostwatch: " << what << ": " << error.message() << '\n';
  return exit_trouble;
}

/// Until `seconds` have passed (0: for ever), Ctrl-C, or, when asked, the end of standard input. Calls `tick` each second.
template <class Tick>
void wait_for_the_end(int seconds, bool until_input_ends, Tick&& tick) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
  pollfd fds[2] = {{signal_fd, POLLIN, 0}, {until_input_ends ? STDIN_FILENO : -1, POLLIN, 0}};
  while (seconds == 0 || std::chrono::steady_clock::now() < end) {
    if (poll(fds, 2, 1000) > 0) break;
    tick();
  }
  close(signal_fd);
}

int agent(const Options& options) {
  auto bus = Bus::open({.name = midplane::escape_token("agent-" + options.name)});
  if (!bus) return trouble("no bus", bus.error());
  auto agent = hostwatch::Agent::start(*bus, options.name, std::chrono::milliseconds{options.interval_ms});
  if (!agent) return trouble("the agent did not start", agent.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.listen = {options.listen}})); !attached)
    return trouble("can not listen", attached.error());
  std::cout << bus->listening().front() << std::endl;
  const bool piped = isatty(STDIN_FILENO) == 0;
  wait_for_the_end(0, piped, [] {});
  static_cast<void>(bus->close(1s));
  return 0;
}

int watch(const Options& options) {
  auto bus = Bus::open({.name = "watcher-" + std::to_string(getpid())});
  if (!bus) return trouble("no bus", bus.error());
  auto watcher = hostwatch::Watcher::start(*bus, "zmq");
  if (!watcher) return trouble("no watcher", watcher.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.peers = options.peers})); !attached)
    return trouble("can not dial", attached.error());
  if (auto confirmed = (*watcher)->wait_confirmed(5s); !confirmed)
    std::cerr << "hostwatch: not every agent has answered yet; watching the others\n";
  const bool live = isatty(STDOUT_FILENO) != 0 && !options.json;
  wait_for_the_end(options.seconds, false, [&] {
    if (live) std::cout << "\x1b[H\x1b[2J" << hostwatch::as_table((*watcher)->so_far()) << std::flush;
  });
  const auto seen = (*watcher)->so_far();
  std::cout << (options.json ? hostwatch::as_json(seen) + "\n" : hostwatch::as_table(seen));
  if (seen.empty()) std::cerr << "hostwatch: nothing came; is an agent listening at the address?\n";
  static_cast<void>(bus->close(1s));
  return 0;
}

int demo(const Options& options) {
  // One agent and one watcher on one bus: the topics never leave the process.
  auto inside = Bus::open({.name = "inside"});
  if (!inside) return trouble("no bus", inside.error());
  auto near = hostwatch::Watcher::start(*inside, "in process");
  if (!near) return trouble("no watcher", near.error());
  auto own = hostwatch::Agent::start(*inside, "inside", std::chrono::milliseconds{options.interval_ms});
  if (!own) return trouble("the agent did not start", own.error());

  // An agent in a process of its own, watched over ZeroMQ.
  auto child = hostwatch::Child::start({"agent", "--name", "outside", "--interval", std::to_string(options.interval_ms)});
  if (!child) return trouble("no second process", child.error());
  const auto endpoint = child->read_line();
  if (!endpoint) return trouble("no second process", endpoint.error());
  auto bus = Bus::open({.name = "watcher"});
  if (!bus) return trouble("no bus", bus.error());
  auto far = hostwatch::Watcher::start(*bus, "zmq tcp");
  if (!far) return trouble("no watcher", far.error());
  if (auto attached = bus->attach(midplane::zmq::transport({.peers = {*endpoint}})); !attached)
    return trouble("can not dial the agent", attached.error());
  if (auto confirmed = (*far)->wait_confirmed(5s); !confirmed) return trouble("the agent does not answer", confirmed.error());

  if (!options.json)
    std::cout << "watching this machine for " << options.seconds << " s: an agent in this process, another one behind "
              << *endpoint << "\n\n";
  wait_for_the_end(options.seconds, false, [&] {
    if (isatty(STDOUT_FILENO) && !options.json) std::cout << '.' << std::flush;
  });
  const auto asked = (*far)->ask("outside");
  const auto json = (*far)->last_as_json(".cpu");
  auto results = (*near)->settle("inside", 2s);
  if (!results) return trouble("the agent in this process does not tell its counters", results.error());
  const auto outside = (*far)->settle("outside", 2s);
  if (!outside) return trouble("the agent does not tell its counters", outside.error());
  results->insert(results->end(), outside->begin(), outside->end());
  bool adds_up = results->size() == 10;
  for (const auto& result : *results) adds_up &= result.adds_up() && result.delivered > 0;
  if (options.json) {
    std::cout << hostwatch::as_json(*results) << '\n';
  } else {
    std::cout << "\nEach sample has an id; it was delivered once, or is lost under a counted reason. Times from publish to handler.\n\n"
              << hostwatch::as_table(*results) << '\n';
    std::cout << (asked ? *asked : asked.error().message() + "\n") << '\n';
    std::cout << "one message, decoded by the schema that travels with its type:\n"
              << (json ? *json : json.error().message()) << "\n\n";
    std::cout << (adds_up ? "the ledger adds up: every id is accounted for\n" : "THE LEDGER DOES NOT ADD UP\n");
  }
  static_cast<void>(bus->close(1s));
  const int ended = child->end();
  if (ended != 0) std::cerr << "hostwatch: the agent ended with exit code " << ended << '\n';
  own->reset();
  static_cast<void>(inside->close(1s));
  return adds_up ? ended : exit_ledger;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What hosts do, over the Midplane bus: CPU, memory, network, disks, busiest processes.\n"
               "Exit codes: 0 fine, 1 the ledger of ids does not add up, 2 wrong arguments, 3 trouble while running.\n"
               "  hostwatch demo --seconds 10\n"
               "  hostwatch agent --name db1 --listen tcp://127.0.0.1:7400\n"
               "  hostwatch watch --peer tcp://127.0.0.1:7400"};
  app.require_subcommand(1);
  Options options;
  auto* agent_command = app.add_subcommand("agent", "publish host.NAME.* and answer questions until Ctrl-C; prints where it listens");
  agent_command->add_option("--name", options.name, "the token in the topics")->check([](const std::string& name) {
    return name == midplane::escape_token(name) ? std::string{} : "--name takes letters, digits, '_' and '-'";
  });
  agent_command->add_option("--listen", options.listen, "tcp://HOST:PORT or ipc://PATH; port 0 chooses one");
  auto* watch_command = app.add_subcommand("watch", "subscribe host.*.> at agents and show a table each second");
  watch_command->add_option("--peer", options.peers, "an agent's address; may be repeated")->required();
  auto* demo_command = app.add_subcommand("demo", "an agent and a watcher as two processes, and both in one");
  for (auto* command : {agent_command, demo_command})
    command->add_option("--interval", options.interval_ms, "milliseconds between samples")->check(CLI::Range(1, 60'000));
  for (auto* command : {watch_command, demo_command}) {
    command->add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0, 86'400));
    command->add_flag("--json", options.json, "for programs");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (agent_command->parsed()) return agent(options);
  return watch_command->parsed() ? watch(options) : demo(options);
}
