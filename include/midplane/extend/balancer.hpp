#pragma once
/// Which server gets a request: one question, asked once per attempt.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// A server that is confirmed, as the client sees it now.
struct Candidate {
  std::string_view peer;      ///< empty: on this bus
  std::uint64_t waiting = 0;  ///< requests in its queue (near), or of this client at it that have not ended (far)
  bool tried = false;         ///< it was full or refused in this request already
};

/// Law: `pick` may be called from any thread, never blocks and never calls back into the bus.
class Balancer {
 public:
  virtual ~Balancer() = default;
  /// Picks nobody: the request ends `busy`.
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  /// The index of a candidate that was not tried yet, or `none`.
  [[nodiscard]] virtual std::size_t pick(std::span<const Candidate> candidates) noexcept = 0;
};

}  // namespace v0
}  // namespace midplane
