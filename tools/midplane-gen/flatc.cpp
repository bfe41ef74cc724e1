#include "flatc.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <string_view>

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

constexpr const char* markers_hint = "; attributes such as topic need include \"midplane.fbs\", which -I <prefix>/include/midplane finds";

/// True of what flatc says when midplane.fbs was not included or not found.
bool lacks_markers(std::string_view said) noexcept {
  constexpr std::string_view undeclared = "declared before use: ";
  if (const auto at = said.find(undeclared); at != std::string_view::npos) {
    const std::string_view name = said.substr(at + undeclared.size());
    return name.starts_with("topic") || name.starts_with("service") || name.starts_with("overflow") ||
           name.starts_with("queue") || name.starts_with("retain") || name.starts_with("timeout_ms");
  }
  const auto has = [said](std::string_view words) { return said.find(words) != std::string_view::npos; };
  return has("midplane.Topic") || (has("unable to load include file") && has("midplane.fbs"));
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
                                 "; correct what it reports above" + (lacks_markers(said) ? markers_hint : ""));
  const std::string stem = schema.stem().string();
  return {without_markers(read_file(scratch / (stem + "_generated.h"))), read_file(scratch / (stem + ".bfbs"))};
}

}  // namespace midplane::gen
