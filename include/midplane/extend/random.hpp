#pragma once
/// Randomness as a seam: incarnation ids, jitter and random choices come from here, so a seed repeats a run.

#include <cstdint>
#include <memory>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Law: `next` may be called from any thread and returns 64 uniformly distributed bits.
class Random {
 public:
  virtual ~Random() = default;
  /// 64 uniformly distributed bits. Any thread.
  [[nodiscard]] virtual std::uint64_t next() noexcept = 0;
};

/// Seeded by the operating system.
[[nodiscard]] std::shared_ptr<Random> system_random();
/// The same sequence for the same seed (SplitMix64), for tests and simulations.
[[nodiscard]] std::shared_ptr<Random> seeded_random(std::uint64_t seed);

}  // namespace v0
}  // namespace midplane
