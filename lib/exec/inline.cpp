#include <atomic>
#include <mutex>

#include <pthread.h>
#include <unistd.h>

#include <midplane/executors.hpp>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/parking.hpp"
#include "exec/gate.hpp"
#include "exec/running.hpp"
#include "exec/thread.hpp"
#include "exec/timers.hpp"

namespace midplane::inline v0 {

namespace exec {
namespace {

/// What an inline executor shares with its timer thread, and with a work inside which the executor is released.
class InlineCore : public std::enable_shared_from_this<InlineCore> {
 public:
  explicit InlineCore(std::shared_ptr<Clock> clock) : clock_{clock ? std::move(clock) : steady_clock()} {}

  void submit(Work& work) noexcept {
    if (Running* const outermost = Running::of(this)) return outermost->append(work);
    if (!gate_.enter()) return work.dropped();
    const auto keep = shared_from_this();  // the work may release the executor
    base::WakesLater::now();  // it may take long
    run_all(work);
    // Without a thread for them the timers live on the submitters, late but not never.
    if (thread_is_missing_.load(std::memory_order_acquire)) fire_due();
    gate_.leave();
  }

  void start(TimerWork& timer) noexcept {
    if (!timers_.start(timer)) return;
    if (has_thread_.load(std::memory_order_acquire)) timer_parker_.unpark();
    else start_timer_thread();
  }
  bool cancel(TimerWork& timer) noexcept { return timers_.cancel(timer); }
  bool runs_here() const noexcept { return Running::of(this) != nullptr; }

  bool stop(Instant until) noexcept {
    if (getpid() != process_) return true;
    stop_was_called_.store(true, std::memory_order_relaxed);
    gate_.close();
    timers_.close();
    timer_parker_.unpark();
    const bool all_left = gate_.wait_until_left(runs_here(), until);
    const std::lock_guard lock{thread_flag_};
    if (thread_ended_.load(std::memory_order_acquire) && has_thread_.exchange(false)) pthread_join(thread_, nullptr);
    return all_left;
  }

  /// The executor is gone: waits for running works unless a stop has done so already, then lets go of the thread.
  void release() noexcept {
    if (getpid() != process_) return;
    const bool called = stop_was_called_.load(std::memory_order_relaxed);
    stop(called ? Instant{} : base::steady_now() + std::chrono::seconds{5});
    const std::lock_guard lock{thread_flag_};
    if (has_thread_.exchange(false)) pthread_detach(thread_);
  }

 private:
  void run_all(Work& work) noexcept {
    Running running{this};
    work.run();
    run_queued(running);
  }
  bool fire_due() noexcept {
    TimerWork* const timer = timers_.any_due(*clock_) ? timers_.take_due(clock_->now()) : nullptr;
    if (timer == nullptr) return false;
    Running running{this};
    timer->fire();
    run_queued(running);
    return true;
  }
  void run_queued(Running& running) noexcept {
    while (Work* const queued = running.take()) {
      if (gate_.is_closed()) queued->dropped();
      else queued->run();
    }
  }

  void start_timer_thread() noexcept {
    const std::lock_guard lock{thread_flag_};
    if (has_thread_.load(std::memory_order_relaxed)) return timer_parker_.unpark();
    if (!gate_.enter()) return;
    for_thread_ = shared_from_this();
    auto thread = start_thread(&InlineCore::timer_thread, this);
    thread_is_missing_.store(!thread.has_value(), std::memory_order_release);
    if (thread) {
      thread_ = *thread;
      has_thread_.store(true, std::memory_order_release);
    } else {
      for_thread_.reset();
      gate_.leave();
    }
  }

  static void* timer_thread(void* argument) {
    const std::shared_ptr<InlineCore> core = std::move(static_cast<InlineCore*>(argument)->for_thread_);
    name_this_thread("midplane/timers");
    while (!core->gate_.is_closed())
      if (!core->fire_due()) core->timer_parker_.park(base::kernel_deadline(*core->clock_, core->timers_.next_due()));
    core->thread_ended_.store(true, std::memory_order_release);
    core->gate_.leave();
    return nullptr;
  }

  Timers timers_;
  Gate gate_;  ///< the threads inside `submit`, and the timer thread; closed when stopping
  const std::shared_ptr<Clock> clock_;
  const pid_t process_ = getpid();  ///< a forked child has the words but not the thread
  std::atomic<bool> stop_was_called_{false};

  base::Parker timer_parker_;
  base::Flag thread_flag_;  ///< guards starting and joining
  pthread_t thread_{};
  std::shared_ptr<InlineCore> for_thread_;
  std::atomic<bool> has_thread_{false};
  std::atomic<bool> thread_is_missing_{false};
  std::atomic<bool> thread_ended_{false};
};

class InlineExecutor final : public Executor {
 public:
  explicit InlineExecutor(std::shared_ptr<Clock> clock) : core_{std::make_shared<InlineCore>(std::move(clock))} {}
  ~InlineExecutor() override { core_->release(); }

  void submit(Work& work) noexcept override { core_->submit(work); }
  void start(TimerWork& timer) noexcept override { core_->start(timer); }
  bool cancel(TimerWork& timer) noexcept override { return core_->cancel(timer); }
  bool runs_here() const noexcept override { return core_->runs_here(); }
  bool may_wait_here() const noexcept override { return false; }
  bool is_inline() const noexcept override { return true; }
  bool stop(Instant until) noexcept override { return core_->stop(until); }

 private:
  const std::shared_ptr<InlineCore> core_;
};

}  // namespace
}  // namespace exec

std::shared_ptr<Executor> inline_executor(std::shared_ptr<Clock> clock) {
  return std::make_shared<exec::InlineExecutor>(std::move(clock));
}

}  // namespace midplane::inline v0
