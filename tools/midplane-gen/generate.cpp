#include "generate.hpp"

#include <iostream>
#include <set>

#include "contracts.hpp"
#include "emit.hpp"
#include "files.hpp"
#include "stop.hpp"

namespace midplane::gen {
namespace fs = std::filesystem;
namespace {

/// Everything the schema was read from. The .bfbs names its files relative to the folder of the schema.
std::vector<fs::path> sources_of(const schema::Schema& schema, const fs::path& input) {
  std::set<fs::path> sources{input};
  const fs::path real = fs::canonical(input);
  if (input.extension() == ".fbs" && schema.root().fbs_files() != nullptr) {
    for (const auto* file : *schema.root().fbs_files()) {
      fs::path path = (real.parent_path() / view_of(file->filename()).substr(2)).lexically_normal();
      if (path != real) sources.insert(std::move(path));
    }
  }
  return {sources.begin(), sources.end()};
}

}  // namespace

schema::Schema load_schema(std::string_view bytes, const fs::path& file) {
  auto schema = schema::Schema::load(std::as_bytes(std::span{bytes.data(), bytes.size()}));
  if (!schema) stop(Exit::bad_input, file.string() + ": " + schema.error().message());
  return *std::move(schema);
}

void generate(const Task& task, const Flatc& flatc) {
  const std::string stem = task.input.stem().string();
  const std::string input_bytes = read_file(task.input);
  make_folder(task.out);
  const bool compiles = task.input.extension() == ".fbs";
  Compiled compiled{{}, input_bytes};
  if (compiles) {
    const ScratchFolder scratch{task.out};
    compiled = compile(flatc, task.input, scratch.path());
  }
  const schema::Schema schema = load_schema(compiled.bfbs, task.input);
  const Contracts contracts = read_contracts(schema, task.input.string(), stem);
  for (const std::string& warning : contracts.warnings) std::cerr << "midplane-gen: warning: " << warning << '\n';
  const std::string header = header_text(contracts, schema, stem);
  const std::string source = source_text(contracts, schema, compiled.bfbs, stem);

  std::vector<fs::path> written;
  const auto write = [&](const char* ending, std::string_view text) {
    written.push_back(task.out / (stem + ending));
    write_if_changed(written.back(), text);
  };
  if (compiles) {
    write("_generated.h", compiled.header);
    write(".bfbs", compiled.bfbs);
  }
  write("_midplane.hpp", header);
  write("_midplane.cpp", source);
  if (!task.depfile.empty()) write_if_changed(task.depfile, make_rule(written, sources_of(schema, task.input)));
}

}  // namespace midplane::gen
