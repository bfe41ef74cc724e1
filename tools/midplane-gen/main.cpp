// midplane-gen: from a FlatBuffers schema to typed constants, and the check that a schema may follow another.

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "check.hpp"
#include "generate.hpp"
#include "markers.hpp"
#include "stop.hpp"

namespace {

using midplane::gen::Exit;

constexpr const char* examples = R"(Examples:
  midplane-gen market.fbs --out build
      writes market_generated.h, market.bfbs, market_midplane.hpp and market_midplane.cpp into build
  midplane-gen market.bfbs --out build
      writes only the last two; market_generated.h is yours (flatc --cpp --no-includes --gen-object-api)
  midplane-gen --check released/market.bfbs market.fbs
      prints each change that programs of the released schema can not read

midplane.fbs is found beside an installed midplane-gen, in ../include/midplane; otherwise name its folder with -I.
Exit codes: 0 done or compatible, 2 wrong usage, 3 input unreadable or invalid, 4 cannot write or flatc failed,
5 incompatible)";

[[noreturn]] void wrong_usage(const std::string& text) {
  midplane::gen::stop(Exit::usage, text + "; see midplane-gen --help");
}

Exit run(const midplane::gen::Task& task, const midplane::gen::Comparison& comparison, const midplane::gen::Flatc& flatc,
         bool checks) {
  if (checks) {
    if (!task.input.empty() || !task.out.empty() || !task.depfile.empty())
      wrong_usage("--check takes two schemas and no INPUT, --out or --depfile");
    return midplane::gen::check(comparison, flatc);
  }
  if (task.input.empty()) wrong_usage("no INPUT; name a .fbs or .bfbs file");
  if (task.input.extension() != ".fbs" && task.input.extension() != ".bfbs")
    wrong_usage(task.input.string() + ": neither .fbs nor .bfbs");
  if (task.out.empty()) wrong_usage("no --out; name the folder for the generated files");
  if (comparison.json || !comparison.type.empty()) wrong_usage("--json and --type go with --check");
  midplane::gen::generate(task, flatc);
  return Exit::ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Typed topics, services and type traits for Midplane from a FlatBuffers schema.", "midplane-gen"};
  app.footer(examples);
  midplane::gen::Task task;
  midplane::gen::Flatc flatc;
  midplane::gen::Comparison comparison;
  std::vector<std::string> pair;
  app.add_option("INPUT", task.input, "schema, .fbs or .bfbs");
  app.add_option("--flatc", flatc.program, "the FlatBuffers compiler")->capture_default_str();
  app.add_option("-o,--out", task.out, "folder for the generated files; made when absent");
  app.add_option("-I,--include", flatc.include_folders, "folder to find included schemas in; may be repeated")->expected(1)
      ->take_all();
  app.add_option("--depfile", task.depfile, "write a make rule with every schema that was read");
  auto* check = app.add_option("--check", pair, "OLD NEW: may programs of both schemas meet?")->expected(2);
  app.add_option("--type", comparison.type, "with --check: only this table, like market.Tick");
  app.add_flag("--json", comparison.json, "with --check: print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault) == 0 ? 0 : static_cast<int>(Exit::usage);
  }
  if (pair.size() == 2) {
    comparison.before = pair[0];
    comparison.after = pair[1];
  }
  if (auto folder = midplane::gen::installed_markers()) flatc.include_folders.push_back(folder->string());  // the last
  try {
    const Exit exit = run(task, comparison, flatc, check->count() != 0);
    if (!std::cout.flush()) midplane::gen::stop(Exit::cannot_write, "stdout can not be written; is the disk full?");
    return static_cast<int>(exit);
  } catch (const midplane::gen::Stop& stop) {
    std::cerr << "midplane-gen: " << stop.text << '\n';
    return static_cast<int>(stop.exit);
  } catch (const std::exception& fault) {
    std::cerr << "midplane-gen: " << fault.what() << '\n';
    return static_cast<int>(Exit::cannot_write);
  }
}
