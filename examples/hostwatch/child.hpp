#pragma once
/// Another process of this program, which ends with this one.

#include <string>
#include <vector>

#include <midplane/result.hpp>

namespace hostwatch {

class Child {
 public:
  /// Starts this very program with `arguments`, its standard output read here and its standard input held open: it ends
  /// when that closes.
  static midplane::Result<Child> start(std::vector<std::string> arguments);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// The next line of its output; an error when it ended instead.
  midplane::Result<std::string> read_line();
  /// Asks it to end and returns its exit code.
  int end();
  /// SIGSTOP, SIGCONT ...
  void signal(int number) const;
  /// SIGKILL: it has no time for a last word.
  void kill();

 private:
  Child(int pid, int in, int out) : pid_{pid}, in_{in}, out_{out} {}
  int pid_;
  int in_;
  int out_;
};

}  // namespace hostwatch
