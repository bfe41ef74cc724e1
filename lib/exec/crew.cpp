#include "exec/crew.hpp"

#include <algorithm>

#include <sched.h>

#include "base/clock.hpp"
#include "base/spin.hpp"
#include "exec/thread.hpp"
#include "wire/shared_releases.hpp"

namespace midplane::inline v0::exec {

namespace {

/// After so many works the references of messages that several of them had are given back.
constexpr unsigned works_together = 16;

/// The cores this process may use, which in a container are fewer than the machine has.
std::size_t default_threads() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
  return static_cast<std::size_t>(std::max(2, cores));
}

}  // namespace

Crew::Crew(PoolOptions options)
    : clock_{options.clock ? std::move(options.clock) : steady_clock()},
      options_{std::move(options)},
      count_{options_.threads ? options_.threads : default_threads()},
      waiters_{count_},
      workers_{std::make_unique<Worker[]>(count_)} {}

Result<void> Crew::start_threads() {
  for (std::size_t index = 0; index < count_; ++index) {
    Worker& worker = workers_[index];
    worker.index = index;
    worker.crew = shared_from_this();
    static_cast<void>(gate_.enter());
    auto thread = start_thread(&Crew::thread_body, &worker);
    if (!thread) {
      gate_.leave();
      worker.crew.reset();
      stop(Instant::never());
      return thread.error();
    }
    worker.thread = *thread;
    worker.started.store(true, std::memory_order_release);
  }
  return ok();
}

void Crew::submit(Work& work) noexcept {
  if (gate_.is_closed()) return work.dropped();
  ready_.push(work);
  idle_.notify();
}

void Crew::start(TimerWork& timer) noexcept {
  if (timers_.start(timer)) idle_.wake_watcher();
}

bool Crew::runs_here() const noexcept { return Running::of(this) != nullptr; }

bool Crew::may_wait_here() const noexcept {
  const Running* const run = Running::of(this);
  return run && run->may_wait();
}

bool Crew::stop(Instant until) noexcept {
  if (getpid() != process_) return true;
  stop_was_called_.store(true, std::memory_order_relaxed);
  gate_.close();
  timers_.close();
  for (std::size_t i = 0; i < count_; ++i) workers_[i].seat.parker.unpark();
  const bool all_left = gate_.wait_until_left(runs_here(), until);
  join_ended();
  if (all_left) drop_waiting();
  return all_left;
}

void Crew::drop_waiting() noexcept {
  while (Work* const work = ready_.pop().work) work->dropped();
}

void Crew::release() noexcept {
  if (getpid() != process_) return;
  // Who stopped before has waited as long as it cared to; `~Bus` gives a handler this long as well.
  const bool called = stop_was_called_.load(std::memory_order_relaxed);
  stop(called ? Instant{} : base::steady_now() + std::chrono::seconds{5});
  for (std::size_t i = 0; i < count_; ++i)
    if (workers_[i].started.exchange(false, std::memory_order_acq_rel)) pthread_detach(workers_[i].thread);
}

void Crew::join_ended() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    Worker& worker = workers_[i];
    if (worker.ended.load(std::memory_order_acquire) && worker.started.exchange(false, std::memory_order_acq_rel))
      pthread_join(worker.thread, nullptr);
  }
}

void* Crew::thread_body(void* argument) {
  auto& worker = *static_cast<Worker*>(argument);
  const std::shared_ptr<Crew> crew = std::move(worker.crew);
  name_this_thread(worker.index);
  crew->introduce(worker.index);
  crew->work_until_stopped(worker);
  worker.ended.store(true, std::memory_order_release);
  crew->gate_.leave();
  return nullptr;
}

void Crew::introduce(std::size_t index) noexcept {
  if (!options_.thread_started) return;
  const std::lock_guard lock{introducing_};
  try {
    options_.thread_started(index);
  } catch (...) {
    // The user's own callback; a worker without its name or core is still a worker.
  }
}

void Crew::work_until_stopped(Worker& worker) noexcept {
  wire::SharedReleases together;
  idle_.begin_search();
  worker.searching = true;
  for (unsigned round = 1; !gate_.is_closed(); ++round) {
    // One of each in turn: timers that are always due must not starve works, nor works timers.
    const bool fired = fire_one(worker);
    if (gate_.is_closed()) break;
    const bool ran = run_one(worker);
    if (!ran || round % works_together == 0) together.give_back();
    if (!ran && !fired) find_or_sleep(worker);
  }
}

bool Crew::fire_one(Worker& worker) noexcept {
  if (!timers_.any_due(*clock_)) return false;
  TimerWork* const timer = timers_.take_due(clock_->now());
  if (timer == nullptr) return false;
  begin_run(worker, false);
  const Running running{this, &waiters_};
  timer->fire();
  return true;
}

bool Crew::run_one(Worker& worker) noexcept {
  const auto [work, more] = ready_.pop();
  if (work == nullptr) return false;
  begin_run(worker, more);
  const Running running{this, &waiters_};
  work->run();
  return true;
}

void Crew::begin_run(Worker& worker, bool more) noexcept {
  const bool was_last = worker.searching && idle_.end_search();
  worker.searching = false;
  if (more || (was_last && !ready_.looks_empty())) idle_.notify();
}

bool Crew::has_something() const noexcept {
  return !ready_.looks_empty() || gate_.is_closed() || timers_.any_due(*clock_);
}

void Crew::find_or_sleep(Worker& worker) noexcept {
  if (!worker.searching) idle_.begin_search();
  worker.searching = true;
  if (options_.wait == Wait::yield && base::spin([this]() noexcept { return has_something(); })) return;
  sleep(worker);
}

void Crew::sleep(Worker& worker) noexcept {
  idle_.sit(worker.seat);
  // Popped and not only looked at: `pop` waits for a worker that is moving submitted works right now.
  if (const auto [work, more] = ready_.pop(); work != nullptr) {
    idle_.leave(worker.seat, timers_.next_due() != Instant::never());
    begin_run(worker, more);
    const Running running{this, &waiters_};
    work->run();
    return;
  }
  while (true) {
    const auto place = idle_.place_of(worker.seat);
    if (place == IdleSet::Place::away) return;
    const bool watching = place == IdleSet::Place::watching;
    if (gate_.is_closed() || (watching && timers_.any_due(*clock_))) break;
    worker.seat.parker.park(watching ? base::kernel_deadline(*clock_, timers_.next_due()) : Instant::never());
  }
  idle_.leave(worker.seat, timers_.next_due() != Instant::never());
}

}  // namespace midplane::inline v0::exec
