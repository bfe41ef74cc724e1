#include "base/parking.hpp"
#include "bus/errand.hpp"
#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {

/// A timer of the user's. The executor holds it alive while it is started.
class [[gnu::visibility("hidden")]] TimerCore final : public Part,
                                                      public std::enable_shared_from_this<TimerCore>,
                                                      private TimerWork {
 public:
  TimerCore(std::shared_ptr<BusCore> owner, Duration period, bool repeat, Function<void()> fn)
      : bus_{std::move(owner)}, period_{period}, repeat_{repeat}, fn_{std::move(fn)} {}
  ~TimerCore() override { bus_->dismiss(*this); }

  void begin(Duration delay) {
    const std::lock_guard lock{mutex_};
    keep_ = shared_from_this();
    due = bus_->clock->now() + delay;
    bus_->executor->start(*this);
  }
  void end() noexcept {
    if (bus_->is_inherited()) return;
    std::shared_ptr<TimerCore> held;
    const std::lock_guard lock{mutex_};
    ended_ = true;
    if (keep_ && bus_->executor->cancel(*this)) held = std::move(keep_);
  }
  /// Its handle goes: so may what `fn` refers to.
  void end_and_wait() noexcept {
    end();
    if (bus_->is_inherited()) return;
    {
      Function<void()> never;  // the executor may be about to fire it, which finds that it has ended
      const std::lock_guard lock{mutex_};
      if (!firing_) never = std::move(fn_);
    }
    if (bus_->inside_handler()) return;
    const exec::Waiting waiting{nullptr};
    static_cast<void>(wait_until_fired(Instant::never()));
  }

  void refuse_new() noexcept override {}
  void begin_close() noexcept override { end(); }
  bool wait_ended(Instant until) noexcept override { return wait_until_fired(until + just_begun); }
  void add_to(Stats&) const override {}

 private:
  /// Who has it end right now, as the last thing it does, does not make it stuck.
  static constexpr Duration just_begun = std::chrono::milliseconds{100};

  bool wait_until_fired(Instant until) noexcept {
    while (true) {
      const auto key = ended_spot_.prepare();
      if (!is_firing()) return ended_spot_.cancel(), true;
      if (!ended_spot_.wait(key, until)) return !is_firing();
    }
  }
  void fire() noexcept override {
    std::shared_ptr<TimerCore> self;
    bool is_over = false;
    {
      const std::lock_guard lock{mutex_};
      self = std::move(keep_);
      firing_ = true;
      is_over = ended_;
    }
    const std::shared_ptr<TimerCore> keep = self;  // `self` goes on to the next beat, if there is one
    // Around the captures' end too: one of them may own the handle.
    const mailbox::HandlerFrame frame{bus_.get(), false};
    if (!is_over) guarded(*bus_, "timer", fn_);
    if (!goes_on(self)) {
      fn_ = nullptr;  // before who waits for the end goes on: its captures may refer to what goes then
      const std::lock_guard lock{mutex_};
      firing_ = false;
    }
    ended_spot_.wake_all();
  }
  bool is_firing() noexcept {
    const std::lock_guard lock{mutex_};
    return firing_;
  }
  /// Starts the next beat; false: there is none.
  bool goes_on(std::shared_ptr<TimerCore>& self) noexcept {
    const std::lock_guard lock{mutex_};
    if (!repeat_ || ended_) return false;
    firing_ = false;
    // From when it was due, not from now: periods do not drift. Beats that were missed are skipped.
    const Instant now = bus_->clock->now();
    due = due + period_;
    if (due <= now) due = now + period_;
    keep_ = std::move(self);
    bus_->executor->start(*this);
    return true;
  }

  std::shared_ptr<BusCore> bus_;
  const Duration period_;
  const bool repeat_;
  Function<void()> fn_;
  std::mutex mutex_;
  bool ended_ = false;
  bool firing_ = false;
  base::Parking ended_spot_;
  std::shared_ptr<TimerCore> keep_;
};

std::shared_ptr<TimerCore> start_timer(const std::shared_ptr<BusCore>& core, Duration delay, bool repeat,
                                       Function<void()> fn) {
  if (core->is_inherited()) return nullptr;
  const Duration period = std::max(delay, Duration{repeat ? 1'000 : 0});
  auto timer = base::make_unforked<TimerCore>(core, period, repeat, std::move(fn));
  if (core->refuses()) return timer;
  core->enrol(timer);
  timer->begin(period);
  if (core->refuses()) timer->end();  // it was closed since, and had not heard of this one
  return timer;
}

void start_timer_of_own(const std::shared_ptr<BusCore>& bus, Duration delay, Function<void()> fn) {
  auto timer = base::make_unforked<TimerCore>(bus, Duration{0}, false, std::move(fn));
  bus->enrol(timer);
  timer->begin(std::max(delay, Duration{0}));
}

TimerHandle& TimerHandle::operator=(TimerHandle&& other) noexcept {
  if (this == &other) return *this;
  if (core_) core_->end_and_wait();
  core_ = std::move(other.core_);
  return *this;
}

TimerHandle::~TimerHandle() {
  if (core_) core_->end_and_wait();
}

}  // namespace midplane::inline v0::detail
