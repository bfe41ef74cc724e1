#pragma once
/// `_midplane.describe` and `_midplane.schema`: what a bus tells of itself to whoever is linked to it.

#include "bus/bus_core.hpp"

namespace midplane::inline v0::detail {

/// Serves both on the bus's executor, from the first transport on; later calls do nothing. Neither counts as the user's
/// traffic: `merge` leaves out names of ours, and a drain or close reports none of it.
Result<void> serve_descriptions(const std::shared_ptr<BusCore>& bus);

/// Everything that the bus, its parts and its links say now.
[[nodiscard]] Description description_of(const BusCore& bus);

}  // namespace midplane::inline v0::detail
