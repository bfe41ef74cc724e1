#include "mailbox/runner.hpp"

#include <exception>

#include "base/clock.hpp"
#include "mailbox/frame.hpp"
#include "wire/reclaimer.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::mailbox {
namespace {

/// A worker lets others have the executor's thread after this many messages.
constexpr std::uint32_t run_messages_max = 256;
/// Dead envelopes go home at least this often, so that a sender with a short queue does not run dry.
constexpr std::uint32_t reclaim_every = wire::Reclaimer::capacity;
/// Over a polled executor: so often it looks itself before its senders have to tell it again.
constexpr std::uint32_t dry_runs_max = 256;
/// So often it looks before it goes back to its executor, whose round costs more than a look.
constexpr int relooks = 8;
/// After fewer messages than this, twice in a row, it leaves its lanes alone for so long: some line crossings.
constexpr std::uint32_t few_messages = 64;
constexpr Duration gathering = std::chrono::nanoseconds{200};

}  // namespace

Runner::Runner(RunnerOptions options)
    : Mailbox{std::move(options.name), options.queue, options.concurrency > 1},
      bus_{options.bus},
      executor_{std::move(options.executor)},
      clock_{std::move(options.clock)},
      handler_{std::move(options.handler)},
      verify_{options.verify},
      threw_{std::move(options.threw)} {
  for (unsigned i = 0; i < options.concurrency; ++i) workers_.push_back(std::make_unique<Worker>(*this));
}

Runner::~Runner() = default;

void Runner::wake() noexcept {
  if (is_stopped()) return sweep();
  for (const auto& worker : workers_) {
    if (!worker->submitted.exchange(true, std::memory_order_acq_rel)) {
      ref();
      return submit(*worker);
    }
  }
}

/// A worker that was submitted and has not run holds the Runner: together they would keep their executor alive.
void Runner::let_go_of_executor() noexcept {
  if (!let_go_.exchange(true)) std::shared_ptr<Executor>{}.swap(executor_);
}

std::shared_ptr<Executor> Runner::drainer() const noexcept {
  const Using guard{*this};
  return is_stopped() ? nullptr : executor_;
}

/// The worker is marked as submitted and has a reference; both are gone when it came too late. The caller has another.
void Runner::submit(Worker& worker) noexcept {
  {
    const Using guard{*this};
    if (!is_stopped()) return executor_->submit(worker);
  }
  sweep();
  forget(worker);
}

void Runner::run(Worker& worker) noexcept {
  bool more = false;  // looked at while nobody else may sweep
  std::shared_ptr<Executor> executor;
  active_.fetch_add(1);
  if (closing()) {
    sweep();
  } else {
    look(worker);
    if (shared_consumer_) consumer_.lock();
    more = has_active();
    if (shared_consumer_) consumer_.unlock();
    if (more) executor = executor_;
  }
  active_.fetch_sub(1);
  if (closing()) {
    try_stop();
    if (is_stopped()) sweep();
    more = false;
  }
  if (more) return executor->submit(worker);
  // Cleared before looking once more: a sender that found it set had listed its lane before.
  worker.submitted.exchange(false, std::memory_order_acq_rel);
  room_made();
  if (has_listed() && !worker.submitted.exchange(true, std::memory_order_acq_rel)) {
    ref();
    submit(worker);
    return unref();
  }
  if (idle_watched_.load(std::memory_order_acquire)) on_idle_();
  unref();
}

/// Over a polled executor the lanes stay listed while it looks itself. Looking at a lane takes its line away from the
/// sender: when look after look finds a few messages it leaves them alone for a moment, in which the next few gather. A
/// lone message is found at once.
void Runner::look(Worker& worker) noexcept {
  const bool polled = !shared_consumer_ && executor_->is_polled() && worker.dry_runs < dry_runs_max;
  if (!shared_consumer_) begin_run(polled);
  std::uint32_t found = 0;
  if (!polled || worker.look_again == Instant{} || base::steady_now() >= worker.look_again) {
    const HandlerFrame frame{bus_, true, this};
    found = run_burst(polled);
    for (int again = polled ? relooks : 0; found == 0 && again > 0; --again) {
      begin_run(true);
      found = run_burst(polled);
    }
    worker.dry_runs = found != 0 ? 0 : worker.dry_runs + 1;
    const bool trickles = polled && worker.found_some && found != 0 && found < few_messages;
    worker.look_again = trickles ? base::steady_now() + gathering : Instant{};
    worker.found_some = found != 0;
  }
  if (polled && found == 0) executor_->ran_dry();
}

namespace {

/// Ends a run of slow calls early: timers, deadlines and other handlers wait for its thread. Looks at the clock seldom: behind
/// the second and the third message, then when calls as long as those so far would be over the time, at the latest behind
/// four times as many.
class Pace {
 public:
  /// Not where a loop is polled: there these looks cost a twentieth (one to eight).
  Pace(Clock& clock, bool polled) noexcept : clock_{clock}, next_look_{polled ? run_messages_max : 2} {}
  [[nodiscard]] std::uint32_t next_look() const noexcept { return next_look_; }
  /// Behind so many messages.
  [[nodiscard]] bool is_over() noexcept {
    const Instant now = clock_.now();
    if (next_look_ == 2) return begun_ = now, next_look_ = 3, false;
    const Duration lasted = now - begun_;
    if (lasted > run_time_max) return true;
    const auto one = std::max<Duration>(lasted / (next_look_ - 2), Duration{1});
    next_look_ += static_cast<std::uint32_t>(std::clamp<std::int64_t>((run_time_max - lasted) / one, 1, 3 * std::int64_t{next_look_}));
    return false;
  }

 private:
  static constexpr Duration run_time_max = std::chrono::microseconds{250};
  Clock& clock_;
  Instant begun_{};
  std::uint32_t next_look_;
};

}  // namespace

/// Of what is not plain. False: it is lost, and counted.
bool Runner::may_enter(wire::Envelope& envelope) noexcept {
  const bool is_event = envelope.kind == wire::Kind::event;
  const auto lost = [&](DropReason reason) { return is_event ? void() : lose(envelope, reason), false; };
  if (closing()) return lost(closing_reason());
  if (envelope.extra && base::has_passed(*clock_, envelope.extra->deadline)) return lost(DropReason::expired);
  const bool is_checked = is_event || !(envelope.unverified || (envelope.extra && envelope.extra->peer));
  return is_checked || verify_(envelope.bytes()) || lost(DropReason::malformed);
}

void Runner::handler_failed(wire::Envelope& envelope, std::string_view thrown) noexcept {
  if (envelope.kind != wire::Kind::event) lose(envelope, DropReason::handler_failed);
  threw_(name(), thrown);
}

inline void Runner::deliver(wire::Envelope& envelope, bool retained) noexcept {
  if ((closing() || envelope.extra || envelope.unverified) && !may_enter(envelope)) return;
  AnyMessage message = AnyMessage::adopt(&envelope, retained || envelope.retained);
  try {
    handler_(message);
    if (envelope.kind != wire::Kind::event) count_delivered();
  } catch (const std::exception& thrown) {
    handler_failed(envelope, thrown.what());
  } catch (...) {
    handler_failed(envelope, "an exception that is no std::exception");
  }
  static_cast<void>(message.disown());
}

/// How many messages it took.
std::uint32_t Runner::run_burst(bool polled) noexcept {
  std::uint32_t found = 0;
  Pace pace{*clock_, polled};
  wire::SharedReleases* const shared = wire::SharedReleases::here();
  while (found < run_messages_max) {
    wire::Reclaimer reclaimer{shared};
    const auto handle = [&](wire::Envelope& envelope, bool retained = false) {
      deliver(envelope, retained);
      reclaimer.release(&envelope);
      room_made();
    };
    for (const std::uint32_t chain_end = found + reclaim_every; found < chain_end;) {
      if (found >= pace.next_look() && pace.is_over()) return found;
      Taken taken;
      if (shared_consumer_) {
        consumer_.lock();
        const bool any = take(taken);
        const bool more = any && workers_.size() > 1 && (has_active() || has_listed());
        consumer_.unlock();
        if (more) wake();
        if (!any) return found;
      } else {
        const std::uint32_t behind = take_behind(std::min(chain_end, pace.next_look()) - found, handle);
        found += behind;
        if (closing()) return found;
        if (behind != 0) continue;
        if (!take(taken)) return found;
      }
      ++found;
      handle(*taken.envelope, taken.retained);
      if (closing()) return found;
    }
  }
  return found;
}

/// The executor will never run it.
void Runner::forget(Worker& worker) noexcept {
  if (worker.submitted.exchange(false)) unref();
}

void Runner::close(DropReason reason) noexcept {
  begin_closing(reason);
  try_stop();
}

void Runner::try_stop() noexcept {
  if (active_.load() != 0 || stopping_.exchange(true)) return;
  const Using guard{*this};
  sweep();
  handler_ = nullptr;
  std::vector<Function<void()>> callbacks;
  {
    // Stopped only now: whoever waits for it may destroy what the handler had captured references to.
    const std::lock_guard lock{stop_mutex_};
    stopped_.store(true);
    callbacks.swap(stop_callbacks_);
  }
  sweep();
  for (auto& callback : callbacks) callback();
  stopped_spot_.wake_all();
}

bool Runner::wait_stopped(Duration duration) noexcept {
  const Instant until = base::steady_now() + duration;
  while (!is_stopped()) {
    const auto key = stopped_spot_.prepare();
    if (is_stopped()) return stopped_spot_.cancel(), true;
    if (!stopped_spot_.wait(key, until)) return is_stopped();
  }
  return true;
}

void Runner::watch_idle(std::function<void()> fn) {
  if (idle_claimed_.exchange(true)) return;  // workers call it meanwhile
  on_idle_ = std::move(fn);
  idle_watched_.store(true, std::memory_order_release);
}

void Runner::when_stopped(Function<void()> fn) {
  {
    const std::lock_guard lock{stop_mutex_};
    if (!is_stopped()) {
      stop_callbacks_.push_back(std::move(fn));
      return;
    }
  }
  fn();
}

void Runner::forget_submitted(const Executor& stopped) noexcept {
  if (runs_on_ != &stopped) return;
  for (const auto& worker : workers_) forget(*worker);
}

}  // namespace midplane::inline v0::mailbox
