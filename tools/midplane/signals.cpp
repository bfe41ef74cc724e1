#include "signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "stop.hpp"

namespace midplane::tool {
namespace {

sigset_t ends() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Signals::Signals() {
  const sigset_t signals = ends();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // It has nothing to give back and ends with the process.
  std::thread{[this] { wait(); }}.detach();
}

void Signals::on_first(std::function<void()> fn) {
  const std::lock_guard lock{mutex_};
  first_ = std::move(fn);
}

void Signals::wait() {
  const sigset_t signals = ends();
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const std::lock_guard lock{mutex_};
    if (!first_ || fired_.exchange(true)) _exit(static_cast<int>(Exit::interrupted));
    first_();
  }
}

}  // namespace midplane::tool
