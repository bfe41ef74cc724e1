#pragma once
/// Another process, forked before this one has made a context: it speaks over a pipe and dies by its own id.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <midplane/function.hpp>

namespace midplane::test {

class ChildProcess {
 public:
  /// `body` runs in the child, reads what the parent writes and writes what the parent reads; then the child ends.
  explicit ChildProcess(Function<void(int in, int out)> body) {
    int to_child[2];
    int to_parent[2];
    if (::pipe(to_child) != 0 || ::pipe(to_parent) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(to_child[1]);
      ::close(to_parent[0]);
      body(to_child[0], to_parent[1]);
      ::_exit(0);
    }
    ::close(to_child[0]);
    ::close(to_parent[1]);
    in_ = to_parent[0];
    out_ = to_child[1];
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    end();
    ::close(in_);
    ::close(out_);
  }
  [[nodiscard]] std::string read_line() const { return read_line(in_); }
  void write_line(const std::string& line) const { write_line(out_, line); }

  /// kill -9, and waits until it is gone. Returns the status as waitpid gives it.
  int end() {
    if (pid_ <= 0) return status_;
    ::kill(pid_, SIGKILL);
    return wait();
  }
  int wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    return status_;
  }

  static std::string read_line(int fd) {
    std::string line;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';) line.push_back(c);
    return line;
  }
  static void write_line(int fd, std::string line) {
    line.push_back('\n');
    static_cast<void>(!::write(fd, line.data(), line.size()));
  }
  /// In a child: until it is killed or the parent closes the pipe.
  static void wait_for_the_end(int in) {
    char c = 0;
    while (::read(in, &c, 1) > 0) continue;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int status_ = 0;
};

}  // namespace midplane::test
