#pragma once
/// A file of lines that an agent writes, and its tail as a stream of replies: `tail -f` over the bus.

#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <midplane/midplane.hpp>

#include "hostwatch_midplane.hpp"

namespace hostwatch {

/// Each line is in the file when `write` returns: a process killed afterwards leaves it there.
class Log {
 public:
  /// Goes on at the end of a file that exists.
  static midplane::Result<Log> open(const std::string& path);
  void write(std::string_view line);

 private:
  explicit Log(std::ofstream file) : file_{std::move(file)} {}
  std::ofstream file_;
};

/// One reader of a log. Any thread; never waits. Its owner calls `go_on` every now and then, as the file may have grown.
class Tail : public std::enable_shared_from_this<Tail> {
 public:
  Tail(const std::string& path, midplane::Request<LogQuery> asked, midplane::StreamResponder<LogLine> out);
  /// Sends what the file has and the reader has credit for. False: it is over, the reader has all or is gone.
  bool go_on();

 private:
  bool read_line();

  std::mutex mutex_;
  std::ifstream file_;
  midplane::Request<LogQuery> asked_;
  midplane::StreamResponder<LogLine> out_;
  LogLineT line_;         ///< read and not sent yet when `held_`
  bool held_ = false;
  bool waiting_ = false;  ///< for credit
  bool over_ = false;
};

}  // namespace hostwatch
