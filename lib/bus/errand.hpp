#pragma once
/// One callback of the user's on an executor, once; what it throws is caught and reported.

#include "bus/bus_core.hpp"

namespace midplane::inline v0::detail {

/// Runs `fn` on the bus's executor. `about` names it in reports.
void post(BusCore& bus, const char* about, Function<void()> fn);

/// Says of a wait that was over too soon what it waited for, and which peers are not up.
Result<void> explain_wait(const BusCore& bus, Result<void> waited, const char* text);

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
