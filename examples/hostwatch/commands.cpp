#include "commands.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace hostwatch {
namespace {

sigset_t ends() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

int trouble(const char* what, const midplane::Error& error) {
  std::cerr << "hostwatch: " << what << ": " << error.message() << '\n';
  return exit_trouble;
}

void catch_signals() {
  const sigset_t signals = ends();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
}

bool wait_until(std::chrono::steady_clock::time_point end, bool until_input_ends) {
  const sigset_t signals = ends();
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  pollfd fds[2] = {{signal_fd, POLLIN, 0}, {until_input_ends ? STDIN_FILENO : -1, POLLIN, 0}};
  bool on = true;
  for (auto now = std::chrono::steady_clock::now(); on && now < end; now = std::chrono::steady_clock::now()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - now).count();
    on = poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000))) <= 0;
  }
  close(signal_fd);
  return on;  // the signal is not taken: a later wait ends at once, too
}

}  // namespace hostwatch
