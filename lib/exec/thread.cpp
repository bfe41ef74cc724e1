#include "exec/thread.hpp"

#include <csignal>
#include <cstdio>
#include <system_error>

namespace midplane::inline v0::exec {

Result<pthread_t> start_thread(void* (*body)(void*), void* argument) {
  // Blocked before the thread begins and inherited by it: there is no moment in which a signal could find it open.
  // A fault of the thread itself stays deliverable.
  sigset_t blocked;
  sigset_t saved;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &saved);
  pthread_t thread{};
  const int error = pthread_create(&thread, nullptr, body, argument);
  pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  if (error == 0) return thread;
  return Error{ErrorCode::transport_failed, "the system starts no more threads; raise its limit or use fewer"}.with(
      std::generic_category().message(error));
}

void name_this_thread(std::size_t index) noexcept {
  char name[16];
  std::snprintf(name, sizeof name, "midplane/%zu", index % 1'000'000);
  name_this_thread(name);
}

void name_this_thread(const char* name) noexcept { pthread_setname_np(pthread_self(), name); }

}  // namespace midplane::inline v0::exec
