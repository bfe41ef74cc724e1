#include "exec/manual.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "base/clock.hpp"
#include "exec/running.hpp"
#include "exec/seen_nudges.hpp"
#include "wire/shared_releases.hpp"

namespace midplane::inline v0 {

namespace exec {

namespace {
std::atomic<std::uint64_t> last_number{0};
constexpr std::size_t watched_max = 64;  ///< runs for watched descriptors in one poll; more wait for the next
}  // namespace

ManualCore::ManualCore(std::shared_ptr<Clock> clock)
    : clock_{clock ? std::move(clock) : steady_clock()},
      simulated_{clock_->advance_to({INT64_MIN})},
      number_{last_number.fetch_add(1, std::memory_order_relaxed) + 1} {}

bool ManualCore::runs_here() const noexcept { return Running::of(this) != nullptr; }

void ManualCore::wake_driver() noexcept {
  if (is_handed_out()) bell_.ring();
  wake_sleepers();
}

/// What a sleeper waits for has been made true.
void ManualCore::wake_sleepers() noexcept {
  bell_.wake();
  parking_.wake_all();
}

void ManualCore::start(TimerWork& timer) noexcept {
  const Instant due = timer.due;  // it may fire, and be gone, as soon as it is started
  if (!timers_.start(timer)) return;
  if (is_handed_out()) {
    if (clock_->is_system()) arm();
    else if (due <= clock_->now()) bell_.ring();
  }
  wake_sleepers();
}

/// Makes the timerfd as early as the next timer. It may be too early after a cancel: `settle`, or the next sleep, puts
/// that right.
void ManualCore::arm() noexcept {
  const std::lock_guard lock{bell_flag_};
  const Instant due = timers_.next_due_in_order();
  if (due < bell_.armed() || bell_.armed() <= clock_->now()) bell_.arm(due);
}

// --- the role ---------------------------------------------------------------------------------------------------

bool ManualCore::take_role() noexcept {
  if (runs_here() || !role_.try_lock()) return false;
  if (!is_stopped()) return true;
  give_role();
  return false;
}

void ManualCore::give_role() noexcept {
  role_.unlock();
  parking_.wake_all();
}

/// False at `until`, and when a nudge came meanwhile.
bool ManualCore::wait_for_role(Instant until) noexcept {
  while (true) {
    const auto key = parking_.prepare();
    if (role_.try_lock()) return parking_.cancel(), true;
    if (is_stopped() || SeenNudges::update(number_, nudges_.load(std::memory_order_acquire))) {
      parking_.cancel();
      return false;
    }
    if (!parking_.wait(key, base::kernel_deadline(*clock_, until)) && until <= clock_->now()) return false;
  }
}

// --- running ----------------------------------------------------------------------------------------------------

bool ManualCore::fire_one(Instant now, std::size_t before) noexcept {
  if (timers_.next_due() > now || is_stopped()) return false;
  TimerWork* const timer = timers_.take_due(now, before);
  if (timer == nullptr) return false;
  const Running running{this};
  timer->fire();
  return true;
}

bool ManualCore::run_left() noexcept {
  Work* const work = is_stopped() ? nullptr : left_.load(std::memory_order_relaxed);
  if (work == nullptr) return false;
  left_.store(work->next, std::memory_order_relaxed);
  const Running running{this};
  work->run();
  return true;
}

/// Of what is readable now.
std::size_t ManualCore::run_watched(std::size_t runs_max) noexcept {
  if (!watches_.any()) return 0;
  std::array<Watches::Key, watched_max> room;
  std::size_t count = 0;
  for (const Watches::Key key : watches_.look(room)) {
    if (count == runs_max || is_stopped()) break;
    Work* const work = watches_.begin_run(key);
    if (work == nullptr) continue;  // a run before it ended that watch
    {
      const Running running{this};
      work->run();
    }
    watches_.end_run();
    ++count;
  }
  return count;
}

/// Behind what is left already.
void ManualCore::take_submitted() noexcept {
  Work* const first = submitted_.take_all();
  Work* last = left_.load(std::memory_order_relaxed);
  if (last == nullptr) return left_.store(first, std::memory_order_relaxed);
  while (last->next) last = last->next;
  last->next = first;
}

/// What is ready now: not what a handler submits or starts meanwhile, else a handler that submits itself again would
/// never let `poll` return.
std::size_t ManualCore::run_ready() noexcept {
  const wire::SharedReleases together;
  take_submitted();
  const bool timed = timers_.any_due(*clock_);
  const Instant now = timed ? clock_->now() : Instant{};
  const std::size_t before = timed ? timers_.next_position() : 0;
  std::size_t count = run_watched(watched_max);
  while (timed && fire_one(now, before)) ++count;
  while (run_left()) ++count;
  return count;
}

/// Before the driver leaves: the descriptor is readable exactly when something is ready.
void ManualCore::settle() noexcept {
  if (!bell_.is_open()) return;
  bell_.quiet();
  if (!is_handed_out()) return;
  const bool system = clock_->is_system();
  if (system) arm();
  const bool ready = left_.load(std::memory_order_relaxed) != nullptr || (!system && timers_.any_due(*clock_));
  if (!submitted_.mark() || ready) bell_.ring();
}

/// A guess that is never wrong for what was submitted before: an empty poll touches no shared word.
bool ManualCore::looks_idle() const noexcept {
  if (left_.load(std::memory_order_relaxed) != nullptr || !submitted_.empty()) return false;
  if (bell_.is_open() || watches_.any()) return false;
  return !timers_.any_due(*clock_);
}

std::size_t ManualCore::poll() noexcept {
  if (looks_idle()) return 0;
  const auto keep = shared_from_this();  // a work may release the executor
  if (!take_role()) return 0;
  polled_ = !simulated_ && !bell_.is_open();
  dry_runs_ = 0;
  const std::size_t count = run_ready() - dry_runs_;
  polled_ = false;
  settle();
  give_role();
  return count;
}

bool ManualCore::poll_one() noexcept {
  const auto keep = shared_from_this();
  if (!take_role()) return false;
  const bool due = timers_.any_due(*clock_);
  bool ran = due && fire_one(clock_->now(), TimerWork::npos);
  if (!ran) {
    // Between two batches of works a watched descriptor has its turn, so neither can keep the other from running.
    if (left_.load(std::memory_order_relaxed) == nullptr) {
      take_submitted();
      ran = run_watched(1) != 0;
    }
    ran = ran || run_left();
  }
  settle();
  give_role();
  return ran;
}

// --- waiting ----------------------------------------------------------------------------------------------------

/// The driver only, after `run_ready` found nothing, in particular nothing readable. False when there is nothing to run:
/// at `until`, after a nudge, and when a simulated clock moved. True may be wrong while something is watched.
bool ManualCore::wait_for_something(Instant until, Nudges nudges) noexcept {
  bool readable = false;
  while (!is_stopped()) {
    const auto key = parking_.prepare();
    const bool watching = watches_.any();
    if (watching) bell_.lie_down();
    const bool ready = readable || !submitted_.mark() || timers_.any_due(*clock_);
    const bool nudged = nudges == Nudges::end_the_wait &&
                        SeenNudges::update(number_, nudges_.load(std::memory_order_acquire));
    const Instant next = std::min(until, timers_.next_due());
    const bool over = ready || nudged || is_stopped() || until <= clock_->now();
    const bool jump = !over && simulated_ && next != Instant::never();
    if (!over && !jump && !watching) {
      parking_.wait(key, base::kernel_deadline(*clock_, next));
      continue;
    }
    parking_.cancel();
    if (!over && !jump) {
      readable = sleep_on_bell(base::kernel_deadline(*clock_, next));
      continue;
    }
    bell_.get_up();
    if (over) return ready;
    clock_->advance_to(next);
    return timers_.any_due(*clock_);
  }
  return false;
}

bool ManualCore::sleep_on_bell(Instant until) noexcept {
  // A timerfd that stayed readable for a timer long fired or cancelled would not let anybody sleep.
  if (is_handed_out() && clock_->is_system()) arm();
  return bell_.sleep(until);
}

std::size_t ManualCore::drive(Instant until) noexcept {
  const auto keep = shared_from_this();
  if (runs_here()) return 0;
  if (!take_role() && (is_stopped() || until <= clock_->now() || !wait_for_role(until))) return 0;
  std::size_t count = run_ready();
  if (count == 0 && wait_for_something(until, Nudges::end_the_wait)) count = run_ready();
  settle();
  give_role();
  return count;
}

std::size_t ManualCore::run_for(Duration duration) noexcept {
  const auto keep = shared_from_this();
  const Instant until = clock_->now() + duration;
  if (!take_role()) return 0;
  std::size_t count = 0;
  do {
    std::size_t ran = run_ready();
    if (ran == 0) {
      if (simulated_ || !wait_for_something(until, Nudges::ignored)) break;
      ran = run_ready();  // here, not in the next round: it may have slept past `until`
    }
    count += ran;
  } while (!is_stopped() && clock_->now() < until);
  settle();
  give_role();
  return count;
}

void ManualCore::nudge() noexcept {
  nudges_.fetch_add(1, std::memory_order_acq_rel);
  wake_sleepers();
}

// --- descriptors ------------------------------------------------------------------------------------------------

bool ManualCore::watch(int fd, Work& work) noexcept {
  {
    const std::lock_guard lock{bell_flag_};
    if (!bell_.open()) return false;
  }
  if (!watches_.add(fd, work)) return false;
  parking_.wake_all();  // a driver that sleeps there does not see the descriptor
  return true;
}

int ManualCore::descriptor() noexcept {
  {
    const std::lock_guard lock{bell_flag_};
    if (!bell_.open()) return -1;
    if (handed_out_.exchange(true, std::memory_order_acq_rel)) return bell_.descriptor();
  }
  if (clock_->is_system()) arm();
  // From here on the next push rings. A driver that runs right now sees it when it settles.
  const bool due = !clock_->is_system() && timers_.next_due_in_order() <= clock_->now();
  if (!submitted_.mark() || left_.load(std::memory_order_relaxed) != nullptr || due) bell_.ring();
  return bell_.descriptor();
}

bool ManualCore::stop(Instant until) noexcept {
  stopped_.store(true, std::memory_order_release);
  timers_.close();
  watches_.close();
  wake_sleepers();
  if (runs_here()) return true;
  while (true) {
    const auto key = parking_.prepare();
    if (role_.try_lock()) {
      parking_.cancel();
      drop_waiting();
      give_role();
      return true;
    }
    if (!parking_.wait(key, until)) return false;
  }
}

/// The driver, or nobody is left who could be.
void ManualCore::drop_waiting() noexcept {
  take_submitted();
  while (Work* const work = left_.load(std::memory_order_relaxed)) {
    left_.store(work->next, std::memory_order_relaxed);
    work->dropped();
  }
}

namespace {

class ManualExecutorImpl final : public ManualExecutor {
 public:
  explicit ManualExecutorImpl(std::shared_ptr<Clock> clock) : core_{std::make_shared<ManualCore>(std::move(clock))} {}
  ~ManualExecutorImpl() override { core_->stop(base::steady_now() + std::chrono::seconds{5}); }

  void submit(Work& work) noexcept override { core_->submit(work); }
  void start(TimerWork& timer) noexcept override { core_->start(timer); }
  bool cancel(TimerWork& timer) noexcept override { return core_->cancel(timer); }
  bool runs_here() const noexcept override { return core_->runs_here(); }
  bool may_wait_here() const noexcept override { return false; }
  bool is_driven() const noexcept override { return true; }
  bool is_polled() const noexcept override { return core_->is_polled(); }
  void ran_dry() noexcept override { core_->ran_dry(); }
  std::size_t drive(Instant until) noexcept override { return core_->drive(until); }
  void nudge() noexcept override { core_->nudge(); }
  std::size_t poll() noexcept override { return core_->poll(); }
  bool poll_one() noexcept override { return core_->poll_one(); }
  std::size_t run_for(Duration duration) noexcept override { return core_->run_for(duration); }
  bool watch(int fd, Work& work) noexcept override { return core_->watch(fd, work); }
  void unwatch(int fd) noexcept override { core_->unwatch(fd); }
  int descriptor() override { return core_->descriptor(); }
  Instant next_due() const noexcept override { return core_->next_due(); }
  bool stop(Instant until) noexcept override { return core_->stop(until); }

 private:
  const std::shared_ptr<ManualCore> core_;
};

}  // namespace
}  // namespace exec

std::shared_ptr<ManualExecutor> manual_executor(std::shared_ptr<Clock> clock) {
  return std::make_shared<exec::ManualExecutorImpl>(std::move(clock));
}

}  // namespace midplane::inline v0
