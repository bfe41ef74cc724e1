#pragma once
/// One subcommand a file: each adds itself with its options and says what to run.

#include <functional>

#include "signals.hpp"
#include "stop.hpp"

namespace CLI {
class App;
}

namespace midplane::tool {

/// What the arguments chose.
struct Chosen {
  std::function<Exit(Signals&)> run;
};

void add_ls(CLI::App& app, Chosen& chosen);
void add_sub(CLI::App& app, Chosen& chosen);
void add_pub(CLI::App& app, Chosen& chosen);
void add_req(CLI::App& app, Chosen& chosen);
void add_schema(CLI::App& app, Chosen& chosen);
void add_bench(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);

}  // namespace midplane::tool
