#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

#include <algorithm>
#include <atomic>

namespace midplane::inline v0::testing {

namespace {

class ManualClockImpl final : public ManualClock {
 public:
  explicit ManualClockImpl(Instant start) noexcept : now_{start.nanoseconds} {}

  Instant now() const noexcept override { return {now_.load(std::memory_order_acquire)}; }
  bool advance_to(Instant at) noexcept override {
    std::int64_t now = now_.load(std::memory_order_relaxed);
    while (now < at.nanoseconds && !now_.compare_exchange_weak(now, at.nanoseconds, std::memory_order_acq_rel)) {
    }
    return true;
  }
  void advance(Duration by) noexcept override { advance_to(now() + by); }

 private:
  std::atomic<std::int64_t> now_;
};

}  // namespace

std::shared_ptr<ManualClock> manual_clock(Instant start) { return std::make_shared<ManualClockImpl>(start); }

std::size_t run_through(ManualExecutor& executor, ManualClock& clock, Duration duration) noexcept {
  const Instant until = clock.now() + duration;
  std::size_t count = 0;
  while (true) {
    while (const std::size_t ran = executor.poll()) count += ran;
    if (clock.now() >= until) return count;
    clock.advance_to(std::min(until, std::max(clock.now(), executor.next_due())));
  }
}

}  // namespace midplane::inline v0::testing
