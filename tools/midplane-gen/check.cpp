#include "check.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <tuple>
#include <vector>

#include "contracts.hpp"
#include "files.hpp"
#include "generate.hpp"
#include "schema/evolution.hpp"

namespace midplane::gen {
namespace fs = std::filesystem;
namespace {

schema::Schema open_schema(const fs::path& file, const Flatc& flatc) {
  std::string bytes = read_file(file);
  if (file.extension() == ".fbs") {
    const ScratchFolder scratch{fs::temp_directory_path()};
    bytes = compile(flatc, file, scratch.path()).bfbs;
  }
  return load_schema(bytes, file);
}

std::vector<std::string> types_of(const Comparison& comparison, const schema::Schema& before) {
  if (!comparison.type.empty()) {
    if (before.find(comparison.type) == nullptr)
      stop(Exit::bad_input, comparison.before.string() + ": has no type " + comparison.type +
                                "; write it with its namespace, like market.Tick");
    return {comparison.type};
  }
  std::vector<std::string> types;
  for (const auto* object : *before.root().objects()) {
    if (!object->is_struct() && view_of(object->name()) != topic_marker) types.push_back(object->name()->str());
  }
  return types;
}

/// A type that others reach is compared with each of them: what was said already is left out.
void add_new(std::vector<schema::Change>& changes, schema::Change change) {
  const auto words = [](const schema::Change& c) { return std::tie(c.kind, c.path, c.before, c.after); };
  const bool known = std::any_of(changes.begin(), changes.end(), [&](const auto& c) { return words(c) == words(change); });
  if (!known) changes.push_back(std::move(change));
}

std::string json_string(std::string_view text) {
  std::string json{'"'};
  for (const char c : text) {
    if (c == '"' || c == '\\') (json += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      json += escape.data();
    } else json += c;
  }
  return json + '"';
}

void print_json(const std::vector<std::string>& types, const std::vector<schema::Change>& changes) {
  std::cout << "{\"compatible\": " << (changes.empty() ? "true" : "false") << ", \"types\": [";
  const char* comma = "";
  for (const auto& type : types) std::cout << std::exchange(comma, ", ") << json_string(type);
  std::cout << "], \"changes\": [";
  comma = "";
  for (const auto& change : changes)
    std::cout << std::exchange(comma, ", ") << "{\"kind\": " << json_string(name_of(change.kind))
              << ", \"path\": " << json_string(change.path) << ", \"before\": " << json_string(change.before)
              << ", \"after\": " << json_string(change.after) << ", \"action\": " << json_string(change.action) << '}';
  std::cout << "]}\n";
}

void print_text(const Comparison& comparison, const std::vector<std::string>& types,
                const std::vector<schema::Change>& changes) {
  const auto plural = [](std::size_t n, const char* noun) { return std::to_string(n) + ' ' + noun + (n == 1 ? "" : "s"); };
  for (const auto& change : changes)
    std::cout << name_of(change.kind) << ": " << change.path << ": before: " << change.before
              << ", after: " << change.after << "; " << change.action << '\n';
  if (changes.empty())
    std::cout << "compatible: " << comparison.after.string() << " may meet " << comparison.before.string() << " ("
              << plural(types.size(), "type") << " compared)\n";
  else
    std::cout << "incompatible: " << plural(changes.size(), "change") << " from " << comparison.before.string() << " to "
              << comparison.after.string() << '\n';
}

}  // namespace

Exit check(const Comparison& comparison, const Flatc& flatc) {
  const schema::Schema before = open_schema(comparison.before, flatc);
  const schema::Schema after = open_schema(comparison.after, flatc);
  const std::vector<std::string> types = types_of(comparison, before);
  std::vector<schema::Change> changes;
  for (const auto& type : types) {
    const auto* new_type = after.find(type);
    if (new_type == nullptr) {
      add_new(changes, {schema::ChangeKind::deleted_type, type, "a table", "absent", "keep the type, or name a new topic"});
      continue;
    }
    for (auto& change : schema::incompatible_changes(before, *before.find(type), after, *new_type))
      add_new(changes, std::move(change));
  }
  if (comparison.json) print_json(types, changes);
  else print_text(comparison, types, changes);
  return changes.empty() ? Exit::ok : Exit::incompatible;
}

}  // namespace midplane::gen
