#pragma once
/// How the program ends. The same table stands in `midplane --help` and docs/midplane.md.

#include <stdexcept>
#include <string>

namespace midplane::tool {

enum class Exit : int {
  done = 0,
  answer = 1,        ///< the answer was an error: a refused request, a message lost or not known to have arrived, a finding of check or doctor
  usage = 2,         ///< arguments, addresses, names, JSON
  unreachable = 3,   ///< no bus could be reached
  nothing = 4,       ///< nothing came, or nobody knows the name
  trouble = 5,       ///< this machine: a file, a socket, memory
  interrupted = 130  ///< Ctrl-C before there was an outcome
};

/// Ends the program from wherever it is: `main` prints the text.
struct Stop : std::runtime_error {
  Stop(Exit with, const std::string& text) : std::runtime_error{text}, exit{with} {}
  Exit exit;
};

[[noreturn]] inline void stop(Exit exit, const std::string& text) { throw Stop{exit, text}; }

}  // namespace midplane::tool
