#pragma once
/// One callback of the user's on an executor, once; what it throws is caught and reported.

#include "bus/bus_core.hpp"

namespace midplane::inline v0::detail {

/// Runs `fn` on the bus's executor, with the bus, or null when that has gone meanwhile. It keeps nothing of the bus alive,
/// or they would keep each other. `about` names it in reports.
void post(BusCore& bus, const char* about, Function<void(BusCore*)> fn);
/// The same on another executor.
void post(Executor& executor, BusCore& bus, const char* about, Function<void(BusCore*)> fn);

/// Calls `fn` once on the bus's executor after the delay, also while it drains.
void start_timer_of_own(const std::shared_ptr<BusCore>& bus, Duration delay, Function<void()> fn);

/// What a wait for readiness answers when it is over.
inline Result<void> is_ready_unless_closed(const BusCore* bus) {
  return !bus || bus->refuses() ? Result<void>{closed_handle()} : ok();
}

/// Says of a wait that was over too soon what it waited for, and which peers are not up.
Result<void> explain_wait(const BusCore& bus, Result<void> waited, const char* text);

/// timed_out, and which peers are not up.
Error too_late(const BusCore& bus, const char* text) noexcept;

/// Runs `fn` here; catches and reports what it throws.
template <class F>
void guarded(BusCore& bus, std::string_view about, F&& fn) noexcept {
  try {
    fn();
  } catch (const std::exception& thrown) {
    bus.handler_threw(about, thrown.what());
  } catch (...) {
    bus.handler_threw(about, "an exception that is no std::exception");
  }
}

}  // namespace midplane::inline v0::detail
