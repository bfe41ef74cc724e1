// midplane: look at buses, talk to them, measure and explain them. What it knows of any payload came over the bus.

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "text.hpp"

namespace {

using namespace midplane::tool;

constexpr const char* footer = R"(Examples:
  midplane ls --peer tcp://127.0.0.1:7400
  midplane sub 'host.*.cpu' --count 3 --peer tcp://127.0.0.1:7400
  export MIDPLANE_PEERS=tcp://127.0.0.1:7400,ipc:///run/app/b
  midplane pub host.db1.pace '{"interval_ms":100}'
  midplane req host.db1.processes '{"limit":3}' --json
  midplane schema show host.db1.cpu
  midplane bench --path tcp --rate 20000
  midplane doctor

Only the buses that are named are asked. Results go to stdout, all else to stderr.
Exit codes: 0 done, 1 the answer was an error or a finding, 2 wrong usage, 3 no bus was reached, 4 nothing came or
nobody knows the name, 5 trouble with this machine, 130 Ctrl-C before there was an outcome.)";

std::vector<std::string> subcommands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

/// The fault when a word stands where only subcommands may; empty: there is none.
std::string unknown_subcommand(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (const std::string& word : words) {
    const std::vector<std::string> names = subcommands_of(*at);
    if (names.empty() || word.starts_with('-')) break;
    if (std::find(names.begin(), names.end(), word) == names.end())
      return "no subcommand " + shown(word) + (at == &app ? "" : " of " + at->get_name()) + "; there are " + joined(names);
    at = at->get_subcommand_ptr(word).get();
  }
  return {};
}

/// What to write instead when options of a subcommand stand in front of it; empty: they do not.
std::string options_before_subcommand(const std::vector<std::string>& words, const std::vector<std::string>& subcommands) {
  const auto is_own = [](const std::string& word) { return word == "-h" || word == "--help" || word == "--version"; };
  if (words.empty() || !words[0].starts_with('-') || is_own(words[0])) return {};
  const auto command = std::find_first_of(words.begin(), words.end(), subcommands.begin(), subcommands.end());
  if (command == words.end()) return "options stand behind a subcommand, like midplane ls " + shown(words[0]) + " ...; there are " + joined(subcommands);
  std::vector<std::string> turned{"midplane", *command};
  turned.insert(turned.end(), words.begin(), command);
  turned.insert(turned.end(), command + 1, words.end());
  return "options stand behind the subcommand: " + joined(turned, " ");
}

Exit written(Exit exit) try {
  write_out();
  return exit;
} catch (const Unwritten& fault) {
  note(fault.what());
  return Exit::trouble;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Look at Midplane buses and talk to them. Any payload is shown and written as JSON, by the schema that the "
               "bus itself hands out.", "midplane"};
  app.footer(footer);
  app.set_version_flag("--version", MIDPLANE_VERSION);
  app.require_subcommand(1);
  Chosen chosen;
  for (const auto add : {add_ls, add_sub, add_pub, add_req, add_schema, add_bench, add_doctor}) add(app, chosen);

  const std::vector<std::string> names = subcommands_of(app);
  if (const std::string unknown = unknown_subcommand(app, {argv + 1, argv + argc}); !unknown.empty()) {
    note(unknown);
    return static_cast<int>(Exit::usage);
  }
  if (const std::string early = options_before_subcommand({argv + 1, argv + argc}, names); !early.empty()) {
    note(early);
    return static_cast<int>(Exit::usage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    if (fault.get_exit_code() == 0) return app.exit(fault), static_cast<int>(written(Exit::done));
    note(std::string{fault.what()} + "; see midplane " +
         (app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " ") + "--help");
    return static_cast<int>(Exit::usage);
  }
  try {
    // Before any thread of a bus: they all inherit what is blocked. It lives as long as its thread, which never ends.
    static Signals signals;
    return static_cast<int>(written(chosen.run(signals)));
  } catch (const Stop& stop) {
    const Exit exit = written(stop.exit);
    note(stop.what());
    return static_cast<int>(exit);
  } catch (const Unwritten& fault) {
    note(fault.what());
    return static_cast<int>(Exit::trouble);
  } catch (const std::exception& fault) {
    static_cast<void>(written(Exit::trouble));
    note(fault.what());
    return static_cast<int>(Exit::trouble);
  }
}
