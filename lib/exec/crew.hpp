#pragma once
/// The workers of a pool and what they share. Each worker owns a part of it, so that it outlives a pool that is
/// released inside one of its own works.

#include <atomic>
#include <cstddef>
#include <memory>

#include <pthread.h>
#include <unistd.h>

#include <midplane/executors.hpp>

#include "exec/gate.hpp"
#include "exec/idle_set.hpp"
#include "exec/ready_queue.hpp"
#include "exec/running.hpp"
#include "exec/timers.hpp"

namespace midplane::inline v0::exec {

class Crew : public std::enable_shared_from_this<Crew> {
 public:
  explicit Crew(PoolOptions options);
  ~Crew() { drop_waiting(); }
  /// Starts the workers; on error none stays.
  Result<void> start_threads();

  void submit(Work& work) noexcept;
  void start(TimerWork& timer) noexcept;
  bool cancel(TimerWork& timer) noexcept { return timers_.cancel(timer); }
  [[nodiscard]] bool runs_here() const noexcept;
  /// True unless all other workers wait for what workers have yet to do.
  [[nodiscard]] bool may_wait_here() const noexcept;
  bool stop(Instant until) noexcept;
  /// The pool is gone: waits for running works unless a stop has done so already, then lets go of the threads.
  void release() noexcept;

 private:
  struct Worker {
    IdleSet::Seat seat;
    std::shared_ptr<Crew> crew;  ///< until its thread has taken it over
    std::size_t index = 0;
    pthread_t thread{};
    std::atomic<bool> started{false};
    std::atomic<bool> ended{false};
    bool searching = false;  ///< its own thread only
  };

  static void* thread_body(void* worker);
  void introduce(std::size_t index) noexcept;
  void work_until_stopped(Worker& worker) noexcept;
  bool fire_one(Worker& worker) noexcept;
  bool run_one(Worker& worker) noexcept;
  void find_or_sleep(Worker& worker) noexcept;
  void sleep(Worker& worker) noexcept;
  void begin_run(Worker& worker, bool more) noexcept;
  [[nodiscard]] bool has_something() const noexcept;
  void join_ended() noexcept;
  void drop_waiting() noexcept;

  ReadyQueue ready_;
  IdleSet idle_;
  Timers timers_;
  Gate gate_;  ///< the living workers; closed when stopping
  std::shared_ptr<Clock> clock_;
  PoolOptions options_;
  base::Flag introducing_;
  std::atomic<bool> stop_was_called_{false};
  const pid_t process_ = getpid();  ///< a forked child has the words but not the threads
  std::size_t count_;
  Waiters waiters_;
  std::unique_ptr<Worker[]> workers_;
};

}  // namespace midplane::inline v0::exec
