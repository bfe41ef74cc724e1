#pragma once
/// What main.cpp and demo.cpp share.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <midplane/result.hpp>

namespace hostwatch {

inline constexpr int exit_ledger = 1;
inline constexpr int exit_trouble = 3;

struct Options {
  std::string name = "here";
  std::string listen = "tcp://127.0.0.1:0";
  std::string log;
  std::vector<std::string> peers;
  std::uint32_t last = 10;
  bool follow = false;
  int interval_ms = 100;
  int heartbeat_ms = 1000;
  int seconds = 10;
  bool json = false;
};

/// Says it on stderr and returns the exit code.
int trouble(const char* what, const midplane::Error& error);
/// Lets Ctrl-C and SIGTERM be seen by `wait_until` only. Call it before there are threads.
void catch_signals();
/// True at `end`; false at once when a signal came, or, when asked, when standard input has ended.
bool wait_until(std::chrono::steady_clock::time_point end, bool until_input_ends = false);

/// Several agents, each a process; one is stopped for a while and one is killed. Exit code.
int demo(const Options& options);

}  // namespace hostwatch
