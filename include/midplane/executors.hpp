#pragma once
/// The executors that Midplane ships. Several buses may share one; it stops with its last owner.

#include <cstddef>
#include <cstdint>
#include <memory>

#include <midplane/extend/executor.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How many worker threads, and how they wait.
struct PoolOptions {
  std::size_t threads = 0;  ///< 0: max(2, cores)
  Wait wait = Wait::sleep;  ///< how idle workers wait
  std::shared_ptr<Clock> clock{};           ///< null: the steady clock
  Function<void(std::size_t index)> thread_started{};  ///< called first on each worker, one at a time: name it, pin it
};

/// Worker threads. They block asynchronous signals. Answers `transport_failed` when a thread can not be started.
[[nodiscard]] Result<std::shared_ptr<Executor>> pool_executor(PoolOptions options = {});

/// Runs a work on the submitting thread: at once, or, inside another work of it, right after the outermost one ends,
/// so handlers never nest. Timers run on a thread of its own that is started with the first timer.
[[nodiscard]] std::shared_ptr<Executor> inline_executor(std::shared_ptr<Clock> clock = nullptr);

/// The user's own loop runs everything: no thread of ours.
///
///     pollfd fd{loop->descriptor(), POLLIN, 0};
///     while (poll(&fd, 1, -1) >= 0) loop->poll();
class ManualExecutor : public Executor {
 public:
  /// Runs what is ready now, not what that makes ready; never waits. Returns the number of works and timers run: 0
  /// also inside a work and while another thread runs them. Calls the kernel only while something is watched, once.
  virtual std::size_t poll() noexcept = 0;
  /// Runs one ready work or due timer; false when there is none.
  virtual bool poll_one() noexcept = 0;
  /// Runs until `until`; waits in between. With a clock that does not advance by itself it returns when nothing is
  /// ready and the clock stands still.
  virtual std::size_t run_for(Duration duration) noexcept = 0;
  /// A descriptor that is readable (level-triggered) whenever a work is ready, a timer is due or a watched descriptor
  /// is readable; for poll, epoll, Asio. Owned by the executor; -1 when the system has none left. Over a clock that is not the system's, a timer
  /// makes it readable when it is due as `poll` returns or as it is started.
  [[nodiscard]] virtual int descriptor() = 0;
  /// When the next timer is due; `never()` when there is none.
  [[nodiscard]] virtual Instant next_due() const noexcept = 0;
};

/// Over the steady clock unless one is given; a simulated clock makes it repeatable.
[[nodiscard]] std::shared_ptr<ManualExecutor> manual_executor(std::shared_ptr<Clock> clock = nullptr);

}  // namespace v0
}  // namespace midplane
