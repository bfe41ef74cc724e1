#include "child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>

extern char** environ;

namespace hostwatch {

using midplane::Error;
using midplane::ErrorCode;
using midplane::Result;

Result<Child> Child::start(std::vector<std::string> arguments) {
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0) return Error{ErrorCode::transport_failed, "no pipe"}.with(std::strerror(errno));
  if (pipe2(from_child, O_CLOEXEC) != 0) {
    close(to_child[0]);
    close(to_child[1]);
    return Error{ErrorCode::transport_failed, "no pipe"}.with(std::strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  arguments.insert(arguments.begin(), "hostwatch");
  std::vector<char*> words;
  for (std::string& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(to_child[0]);
  close(from_child[1]);
  if (failed != 0) {
    close(to_child[1]);
    close(from_child[0]);
    return Error{ErrorCode::transport_failed, "the agent could not be started"}.with(std::strerror(failed));
  }
  return Child{pid, to_child[1], from_child[0]};
}

Child::Child(Child&& other) noexcept
    : pid_{std::exchange(other.pid_, 0)}, in_{std::exchange(other.in_, -1)}, out_{std::exchange(other.out_, -1)} {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(in_, other.in_);
  std::swap(out_, other.out_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0) end();
}

Result<std::string> Child::read_line() {
  std::string line;
  char c = 0;
  while (read(out_, &c, 1) == 1) {
    if (c == '\n') return line;
    line.push_back(c);
  }
  return Error{ErrorCode::closed, "the agent ended before it said where it listens"}.with(line);
}

int Child::end() {
  signal(SIGCONT);  // a stopped one would never end
  close(std::exchange(in_, -1));
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  close(std::exchange(out_, -1));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Child::signal(int number) const { ::kill(pid_, number); }

void Child::kill() {
  signal(SIGKILL);
  end();
}

}  // namespace hostwatch
