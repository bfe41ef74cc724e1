#pragma once
/// Raw bytes as a payload type, and memory that Midplane may adopt instead of copying.

#include <cstddef>
#include <span>

#include <midplane/function.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// The payload type of a topic or pattern that does not care for types: nothing is verified, nothing is decoded.
struct Bytes {};

/// Memory handed over to the bus. `release` is called exactly once, on any thread, when the last reader is done,
/// also when the publish fails. The library may hold locks meanwhile: it gives memory back, and neither calls the bus or
/// a handle of it nor ends one.
struct Owned {
  std::span<const std::byte> bytes;  ///< unchanged until `release`
  Function<void()> release;  ///< may be empty: memory that outlives the bus
};

}  // namespace v0
}  // namespace midplane
