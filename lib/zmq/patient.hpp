#pragma once
/// Threads that let others finish. On a busy core a thread that wakes for a frame takes the core from who is publishing,
/// for that one frame, and gives it back: two switches a frame, and frames of one message. Linux does not do so for
/// threads of its batch class; on a free core they run as soon as ever.

#include <pthread.h>
#include <sched.h>

namespace midplane::inline v0::zmq {

/// Threads started by this thread while one lives inherit the batch class. Nothing happens where this thread has been
/// given a class of its own, or may not change it.
class PatientThreads {
 public:
  explicit PatientThreads(bool wanted) noexcept {
    sched_param now{};
    if (!wanted || pthread_getschedparam(pthread_self(), &policy_, &now) != 0 || policy_ != SCHED_OTHER) return;
    changed_ = pthread_setschedparam(pthread_self(), SCHED_BATCH, &now) == 0;
  }
  PatientThreads(const PatientThreads&) = delete;
  PatientThreads& operator=(const PatientThreads&) = delete;
  ~PatientThreads() {
    constexpr sched_param none{};
    if (changed_) pthread_setschedparam(pthread_self(), policy_, &none);
  }

 private:
  int policy_ = SCHED_OTHER;
  bool changed_ = false;
};

}  // namespace midplane::inline v0::zmq
