#pragma once
/// Where handlers and timers run. Midplane ships three: a pool, inline and manual (the user's own loop).
///
/// Law of an Executor:
///  - `submit(work)` may be called from any thread, inside a handler too, and never blocks. Unless the executor is
///    inline it never runs the work before returning. Each submit leads to exactly one `work.run()`, later, on a
///    thread of the executor; a work is not submitted again before that run has begun.
///  - `start(timer)` leads to exactly one `timer.fire()` at or after `timer.due`, unless `cancel(timer)` returned true
///    first. `cancel` never waits: false means that the timer has fired, is firing or was never started.
///  - A driven executor runs a watching work whenever its descriptor is readable, level-triggered: again and again
///    until somebody has read it, but not again before a run has ended. A run may come for what another reader took.
///    After `unwatch` returned the work neither waits nor runs, unless it is called inside that very run.
///  - After `stop` returned nothing runs any more; what was still waiting is told `dropped` at the latest when
///    the executor is destroyed, and its `run` is never called.
/// Work and Timer objects are owned by the caller and stay valid until run, fired, cancelled or no longer watched for.

#include <cstddef>
#include <cstdint>
#include <memory>

#include <midplane/extend/clock.hpp>
#include <midplane/function.hpp>
#include <midplane/result.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How a thread of ours waits for work: `sleep` at once (no CPU when idle), or look again with `sched_yield` between
/// looks, for about 50 µs before it sleeps (shorter round trips). Of a process's pool threads one at a time looks.
enum class Wait : std::uint8_t { sleep, yield };

/// Something to run soon. The executor links waiting works through `next`; nobody else touches it.
class Work {
 public:
  /// What is to be done, once for each submit.
  virtual void run() noexcept = 0;
  /// The executor has stopped and will never run it: the owner may let go of it. Called instead of `run`, once.
  virtual void dropped() noexcept {}
  Work* next = nullptr;  ///< of the executor

 protected:
  ~Work() = default;
};

/// Something to run at an instant of the executor's clock. All but `due` belongs to the executor; `due` is left alone
/// while the timer is started. The links make a started timer part of a heap, so that starting one can not fail.
class TimerWork {
 public:
  /// Called at `due` or later.
  virtual void fire() noexcept = 0;
  Instant due;  ///< when, by the executor's clock
  std::size_t position = npos;  ///< its place among all starts; `npos`: not started
  TimerWork* child = nullptr;  ///< of the executor
  TimerWork* previous = nullptr;  ///< of the executor
  TimerWork* next = nullptr;  ///< of the executor
  /// Not started.
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 protected:
  ~TimerWork() = default;
};

/// Runs works and timers; the law stands at the head of this file.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `work` soon; see the law.
  virtual void submit(Work& work) noexcept = 0;
  /// Fires `timer` at its `due`; see the law.
  virtual void start(TimerWork& timer) noexcept = 0;
  /// True: it will not fire. Never waits.
  virtual bool cancel(TimerWork& timer) noexcept = 0;

  /// True while the calling thread runs a work or a timer of this executor.
  [[nodiscard]] virtual bool runs_here() const noexcept = 0;
  /// True when a caller inside one of its works may wait for another work: some other worker is
  /// free to run it, or will be.
  [[nodiscard]] virtual bool may_wait_here() const noexcept = 0;
  /// True for an executor that runs works only inside a call of the user (manual): a caller that waits outside
  /// its works has to call `drive` meanwhile.
  [[nodiscard]] virtual bool is_driven() const noexcept { return false; }
  /// True when `submit` runs the work before it returns, or on the same thread right after the outermost one.
  [[nodiscard]] virtual bool is_inline() const noexcept { return false; }
  /// True inside a run whose driver looks again and again without sleeping in between. A work that has run dry may
  /// then submit itself some times more and look itself: cheaper for both sides than to be told of every message.
  [[nodiscard]] virtual bool is_polled() const noexcept { return false; }
  /// Inside a run of a polled executor: this run found nothing to do and is not to be counted.
  virtual void ran_dry() noexcept {}
  /// Driven executors only: runs what is ready; when nothing is, waits until something is or `until` is reached
  /// (`Instant{}`: does not wait) and runs that. Over a simulated clock it does not wait but moves the clock. Returns
  /// the number of works and timers run; may return early, so call it in a loop over what is waited for. Any thread;
  /// one drives at a time, the others wait for their turn. Inside a work it does nothing.
  virtual std::size_t drive(Instant until) noexcept { return static_cast<void>(until), 0; }
  /// What a driver waits for has happened on another thread: every `drive` that waits returns, and so does the next
  /// one of each thread, which may have looked too early.
  virtual void nudge() noexcept {}
  /// Driven executors only: runs `work` inside `drive` and its like whenever `fd` is readable, or broken, and makes the
  /// executor's own descriptor readable meanwhile. `fd` may itself be an epoll descriptor. It stays open, and `work`
  /// valid, until `unwatch`. Any thread. False: not driven, stopped, watched already, or the system refused.
  virtual bool watch(int fd, Work& work) noexcept { return static_cast<void>(fd), static_cast<void>(work), false; }
  /// Ends it: drops a run that waits, and waits for one on another thread. Any thread, inside the run too; what is not
  /// watched is no error.
  virtual void unwatch(int fd) noexcept { static_cast<void>(fd); }

  /// Ends its threads, waiting for running works until `until`, an instant of the steady clock whatever clock the
  /// executor has. False when one is still running then. Inside a work it does not wait for that work, nor for others
  /// that stop. May be called again.
  virtual bool stop(Instant until) noexcept = 0;
};

}  // namespace v0
}  // namespace midplane
