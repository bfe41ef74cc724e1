#include "flatc.hpp"

#include <cerrno>
#include <cstring>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.hpp"
#include "stop.hpp"

extern char** environ;

namespace midplane::gen {
namespace fs = std::filesystem;
namespace {

/// The child's exit code; what it prints goes to our standard error, for standard output is ours.
int run(const std::vector<std::string>& words) {
  std::vector<std::string> copies{words};
  std::vector<char*> arguments;
  for (auto& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int fault = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (fault != 0)
    stop(Exit::cannot_write, words[0] + ": cannot be run: " + std::strerror(fault) +
                                 "; install flatbuffers-compiler or name the program with --flatc");
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) stop(Exit::cannot_write, words[0] + ": lost: " + std::strerror(errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
  if (const int code = run(words); code != 0)
    stop(Exit::cannot_write, schema.string() + ": flatc ended with code " + std::to_string(code) +
                                 "; correct what it reports above; attributes such as topic need include \"midplane.fbs\", "
                                 "which -I <prefix>/include/midplane finds");
  const std::string stem = schema.stem().string();
  return {without_markers(read_file(scratch / (stem + "_generated.h"))), read_file(scratch / (stem + ".bfbs"))};
}

}  // namespace midplane::gen
