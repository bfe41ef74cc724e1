#pragma once
/// When to dial again: exponential with full jitter, so that many who lost one peer do not come back at once.

#include <algorithm>

#include <midplane/extend/random.hpp>
#include <midplane/time.hpp>

namespace midplane::inline v0::link {

class Backoff {
 public:
  Backoff(Duration least, Duration most) noexcept : least_{least}, most_{most}, bound_{least} {}

  /// The next wait: anything from the least up to a bound that doubles.
  [[nodiscard]] Duration next(Random& random) noexcept {
    const auto span = static_cast<std::uint64_t>((bound_ - least_).count()) + 1;
    const Duration wait = least_ + Duration{static_cast<std::int64_t>(random.next() % span)};
    bound_ = std::min(most_, bound_ * 2);
    return wait;
  }
  void reset() noexcept { bound_ = least_; }

 private:
  Duration least_, most_, bound_;
};

}  // namespace midplane::inline v0::link
