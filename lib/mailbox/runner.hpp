#pragma once
/// A mailbox whose messages enter a handler on an executor: one at a time, or `concurrency` at a time.

#include <functional>
#include <memory>
#include <vector>

#include <midplane/extend/executor.hpp>
#include <midplane/message.hpp>

#include "mailbox/frame.hpp"
#include "mailbox/mailbox.hpp"

namespace midplane::inline v0::mailbox {

/// May throw; that is counted.
using Handler = Function<void(AnyMessage&)>;

struct RunnerOptions {
  const void* bus = nullptr;  ///< whose handler it is, for HandlerFrame
  std::string name;
  Queue queue;
  unsigned concurrency = 1;
  std::shared_ptr<Executor> executor;
  std::shared_ptr<Clock> clock;
  Handler handler;
  /// What came from another process is verified before it is delivered.
  bool (*verify)(std::span<const std::byte>) noexcept = nullptr;
  Function<void(std::string_view name, std::string_view what)> threw;  ///< told once for each exception
};

class Runner final : public Mailbox {
 public:
  explicit Runner(RunnerOptions options);

  /// Does not wait: `wait_stopped` does.
  void close(DropReason reason) noexcept override;
  /// True once no handler runs and none ever will. Waits up to `duration` of real time.
  bool wait_stopped(Duration duration) noexcept;
  [[nodiscard]] bool is_stopped() const noexcept { return stopped_.load(); }
  [[nodiscard]] bool is_running() const noexcept { return active_.load(std::memory_order_acquire) != 0; }
  /// From now on `fn` is called whenever a worker finds nothing more to do; the first one stays.
  void watch_idle(std::function<void()> fn);
  /// The queue first: who takes the last message out is running by then.
  [[nodiscard]] bool is_idle() const noexcept { return waiting() == 0 && !is_running(); }
  /// Calls `fn` once it is stopped, at once when it is already.
  void when_stopped(Function<void()> fn);
  /// That executor was stopped and dropped what was submitted; nothing is done when another one runs this.
  void forget_submitted(const Executor& stopped) noexcept;
  [[nodiscard]] std::shared_ptr<Executor> drainer() const noexcept override;
  [[nodiscard]] bool is_emptied_here() const noexcept override { return workers_.size() == 1 && HandlerFrame::empties(this); }

 private:
  class Worker final : public Work {
   public:
    explicit Worker(Runner& runner) noexcept : runner_{runner} {}
    void run() noexcept override { runner_.run(*this); }
    void dropped() noexcept override { runner_.forget(*this); }
    std::atomic<bool> submitted{false};
    std::uint32_t dry_runs = 0;  ///< since it found something last
    bool found_some = false;     ///< when it looked last
    Instant look_again{};        ///< polled: until then its lanes are left alone

   private:
    Runner& runner_;
  };
  /// While one stands, `executor_` stays; the last one to leave a stopped Runner lets go of it. Raising `users_` before
  /// looking at `stopped_` is in one order with setting `stopped_` before lowering `users_`: who comes later sees it.
  class Using {
   public:
    explicit Using(const Runner& runner) noexcept : runner_{const_cast<Runner&>(runner)} { runner_.users_.fetch_add(1); }
    Using(const Using&) = delete;
    ~Using() {
      if (runner_.users_.fetch_sub(1) == 1 && runner_.is_stopped()) runner_.let_go_of_executor();
    }

   private:
    Runner& runner_;
  };
  ~Runner() override;
  void submit(Worker& worker) noexcept;
  void let_go_of_executor() noexcept;
  void wake() noexcept override;
  void run(Worker& worker) noexcept;
  std::uint32_t run_burst(bool polled) noexcept;
  void look(Worker& worker) noexcept;
  void forget(Worker& worker) noexcept;
  void deliver(wire::Envelope& envelope, bool retained) noexcept;
  bool may_enter(wire::Envelope& envelope) noexcept;
  void handler_failed(wire::Envelope& envelope, std::string_view thrown) noexcept;
  void try_stop() noexcept;

  const void* bus_;
  std::shared_ptr<Executor> executor_;
  const Executor* const runs_on_ = executor_.get();
  std::shared_ptr<Clock> clock_;
  Handler handler_;
  bool (*verify_)(std::span<const std::byte>) noexcept;
  Function<void(std::string_view, std::string_view)> threw_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::uint32_t> active_{0};  ///< workers inside `run`
  std::atomic<std::uint32_t> users_{0};
  std::atomic<bool> let_go_{false};
  std::atomic<bool> stopping_{false};  ///< somebody ends it
  std::atomic<bool> stopped_{false};
  base::Parking stopped_spot_;
  std::atomic<bool> idle_claimed_{false};
  std::atomic<bool> idle_watched_{false};
  std::function<void()> on_idle_;
  std::mutex stop_mutex_;
  std::vector<Function<void()>> stop_callbacks_;
};

}  // namespace midplane::inline v0::mailbox
