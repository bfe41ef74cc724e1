#pragma once
/// The manual executor: everything runs inside a call of the user.

#include <atomic>
#include <cstdint>
#include <memory>

#include <midplane/executors.hpp>

#include "base/flag.hpp"
#include "base/intake.hpp"
#include "base/parking.hpp"
#include "exec/doorbell.hpp"
#include "exec/timers.hpp"
#include "exec/watches.hpp"

namespace midplane::inline v0::exec {

/// Shared with a call of `poll` or `drive` inside which the executor is released.
///
/// One thread at a time has the role of the driver; only it touches `left_`. A submit is one compare-exchange: whether
/// somebody sleeps, or a descriptor has to be rung, stands in the word it changes anyway, as the mark of `Intake`.
///
/// A driver with nothing to run sleeps on `parking_`, or on the bell while something is watched. The bell is rung for
/// every work that becomes ready only once the user has the descriptor; else for a sleeper.
class ManualCore : public std::enable_shared_from_this<ManualCore> {
 public:
  explicit ManualCore(std::shared_ptr<Clock> clock);
  ~ManualCore() { drop_waiting(); }

  void submit(Work& work) noexcept {
    if (is_stopped()) return work.dropped();
    if (submitted_.push(work)) wake_driver();
  }
  void start(TimerWork& timer) noexcept;
  bool cancel(TimerWork& timer) noexcept { return timers_.cancel(timer); }
  [[nodiscard]] bool runs_here() const noexcept;
  [[nodiscard]] Instant next_due() const noexcept { return timers_.next_due(); }

  std::size_t poll() noexcept;
  bool poll_one() noexcept;
  std::size_t run_for(Duration duration) noexcept;
  std::size_t drive(Instant until) noexcept;
  void nudge() noexcept;
  int descriptor() noexcept;
  bool watch(int fd, Work& work) noexcept;
  void unwatch(int fd) noexcept { watches_.remove(fd, runs_here()); }
  bool stop(Instant until) noexcept;
  /// The driver only.
  [[nodiscard]] bool is_polled() const noexcept { return polled_; }
  void ran_dry() noexcept { ++dry_runs_; }

 private:
  enum class Nudges { end_the_wait, ignored };

  void wake_driver() noexcept;
  void wake_sleepers() noexcept;
  [[nodiscard]] bool looks_idle() const noexcept;
  void drop_waiting() noexcept;
  bool take_role() noexcept;
  void give_role() noexcept;
  bool wait_for_role(Instant until) noexcept;
  std::size_t run_ready() noexcept;
  bool fire_one(Instant now, std::size_t before) noexcept;
  bool run_left() noexcept;
  std::size_t run_watched(std::size_t runs_max) noexcept;
  void take_submitted() noexcept;
  void settle() noexcept;
  void arm() noexcept;
  bool wait_for_something(Instant until, Nudges nudges) noexcept;
  bool sleep_on_bell(Instant until) noexcept;
  [[nodiscard]] bool is_handed_out() const noexcept { return handed_out_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  alignas(base::line_bytes) base::Intake<Work> submitted_;
  alignas(base::line_bytes) base::Flag role_;
  std::atomic<Work*> left_{nullptr};  ///< taken out of `submitted_`, not yet run
  std::size_t dry_runs_ = 0;           ///< of the poll that runs now
  bool polled_ = false;               ///< inside `poll`, with nobody who sleeps on a descriptor
  base::Parking parking_;             ///< the driver that waits for something, and others that wait for the role
  std::atomic<std::uint32_t> nudges_{0};
  std::atomic<bool> stopped_{false};
  Timers timers_;
  base::Flag bell_flag_;  ///< guards opening and arming
  Doorbell bell_;
  std::atomic<bool> handed_out_{false};  ///< the user has the bell's descriptor
  Watches watches_{bell_};
  const std::shared_ptr<Clock> clock_;
  const bool simulated_;
  const std::uint64_t number_;  ///< among all manual executors of the process: an address would be used again
};

}  // namespace midplane::inline v0::exec
