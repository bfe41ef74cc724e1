#include "harness/child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "harness/machine.hpp"

extern char** environ;

namespace midplane::bench {
namespace {

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "the other process: %s\n", why);
  std::exit(1);
}

}  // namespace

Child::Child(const std::vector<std::string>& words) {
  int to_child[2], from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) give_up("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  std::vector<std::string> all{"bench", "--role"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  {
    // A child inherits the cores of the thread that starts it.
    const EveryCore every_core;
    if (posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ) != 0)
      give_up("could not be started");
  }
  posix_spawn_file_actions_destroy(&actions);
  close(to_child[0]);
  close(from_child[1]);
  out_ = to_child[1];
  in_ = from_child[0];
}

Child::Child(Child&& other) noexcept
    : pid_{std::exchange(other.pid_, 0)},
      in_{std::exchange(other.in_, -1)},
      out_{std::exchange(other.out_, -1)} {}

Child::~Child() {
  if (pid_ <= 0) return;
  close(out_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  close(in_);
}

void Child::write_whole(int to, const void* what, std::size_t bytes) {
  if (write(to, what, bytes) != static_cast<ssize_t>(bytes)) give_up("does not listen");
}

// Shorter than the atomic size of a pipe, so it comes in one piece.
void Child::read_whole(int from, void* what, std::size_t bytes) {
  ssize_t got = 0;
  while ((got = read(from, what, bytes)) < 0 && errno == EINTR) {
  }
  if (got != static_cast<ssize_t>(bytes)) give_up("ended too early");
}

std::optional<std::vector<std::string>> role_of(int argc, char** argv) {
  if (argc < 3 || std::string_view{argv[1]} != "--role") return std::nullopt;
  return std::vector<std::string>{argv + 2, argv + argc};
}

}  // namespace midplane::bench
