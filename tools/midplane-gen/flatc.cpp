#include "flatc.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <numeric>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.hpp"
#include "stop.hpp"

extern char** environ;

namespace midplane::gen {
namespace fs = std::filesystem;
namespace {

struct Ran {
  int code;
  std::string said;
};

/// What the child prints goes to our standard error, for standard output is ours.
Ran run(const std::vector<std::string>& words) {
  std::vector<std::string> copies{words};
  std::vector<char*> arguments;
  for (auto& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) stop(Exit::cannot_write, std::string{"no pipe: "} + std::strerror(errno));
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int fault = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string said;
  std::array<char, 4096> piece;
  for (ssize_t size = 0; fault == 0 && ((size = read(ends[0], piece.data(), piece.size())) > 0 || (size < 0 && errno == EINTR));) {
    if (size < 0) continue;
    std::cerr.write(piece.data(), size);
    said.append(piece.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  if (fault != 0)
    stop(Exit::cannot_write, words[0] + ": cannot be run: " + std::strerror(fault) +
                                 "; install flatbuffers-compiler or name the program with --flatc");
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) stop(Exit::cannot_write, words[0] + ": lost: " + std::strerror(errno));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), std::move(said)};
}

constexpr std::array<std::string_view, 9> attributes{"topic",  "service",    "overflow",   "queue",    "queue_bytes",
                                                     "retain", "idempotent", "timeout_ms", "streaming"};
constexpr std::string_view markers_hint =
    "; attributes such as topic need include \"midplane.fbs\", which -I <prefix>/include/midplane finds";

/// What stands behind these words of flatc, to the end of the line or to `, `; empty: it did not say them.
std::string_view told(std::string_view said, std::string_view words) noexcept {
  const auto at = said.find(words);
  if (at == said.npos) return {};
  const std::string_view rest = said.substr(at + words.size());
  return rest.substr(0, std::min(rest.find_first_of("\r\n"), rest.find(", ")));
}

/// How many letters have to be written, left out or changed to make one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// What helps beyond what flatc says itself: midplane.fbs was not included or not found, or one of its words is misspelt.
std::string hint_for(std::string_view said) {
  const std::string_view attribute = told(said, ": error: user define attributes must be declared before use: ");
  if (std::find(attributes.begin(), attributes.end(), attribute) != attributes.end() ||
      told(said, ": error: type referenced but not defined (check namespace): ") == "midplane.Topic" ||
      fs::path{told(said, ": error: unable to load include file: ")}.filename() == "midplane.fbs")
    return std::string{markers_hint};
  const auto is_near = [attribute](std::string_view one) { return distance(attribute, one) <= 2; };
  if (attribute.empty() || std::none_of(attributes.begin(), attributes.end(), is_near)) return {};
  std::string hint = "; the attributes of midplane.fbs are ";
  for (const std::string_view one : attributes)
    hint.append(one == attributes.front() ? "" : one == attributes.back() ? " and " : ", ").append(one);
  return hint;
}

/// midplane.fbs holds markers only, and a struct `midplane::Topic` would clash with the class template of that name.
std::string without_markers(std::string header) {
  constexpr std::string_view line = "#include \"midplane_generated.h\"\n";
  if (auto at = header.find(line); at != std::string::npos) header.erase(at, line.size());
  return header;
}

}  // namespace

Compiled compile(const Flatc& flatc, const fs::path& schema, const fs::path& scratch) {
  // The root makes flatc note in which file each type is declared; relative, so that no path of this machine gets in.
  const fs::path root = fs::canonical(schema).parent_path();
  std::vector<std::string> words{flatc.program, "--cpp", "--gen-object-api", "--scoped-enums", "--cpp-std", "c++17",
                                 "--schema", "-b", "--bfbs-builtins", "--bfbs-comments",
                                 "--bfbs-filenames", root.string(), "-o", scratch.string()};
  for (const auto& folder : flatc.include_folders) {
    words.emplace_back("-I");
    words.push_back(folder);
  }
  words.push_back(schema.string());
  if (const auto [code, said] = run(words); code != 0)
    stop(Exit::cannot_write, schema.string() + ": flatc ended with code " + std::to_string(code) +
                                 "; correct what it reports above" + hint_for(said));
  const std::string stem = schema.stem().string();
  for (const char* ending : {"_generated.h", ".bfbs"}) {
    if (!fs::exists(scratch / (stem + ending)))
      stop(Exit::cannot_write, flatc.program + ": ended well and wrote no " + stem + ending + "; is it the FlatBuffers compiler? see --flatc");
  }
  return {without_markers(read_file(scratch / (stem + "_generated.h"))), read_file(scratch / (stem + ".bfbs"))};
}

}  // namespace midplane::gen
