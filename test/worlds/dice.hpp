#pragma once
/// All chance of a world comes from one seed.

#include <cstdint>
#include <memory>

#include <midplane/extend/random.hpp>
#include <midplane/time.hpp>

namespace midplane::worlds {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_{seeded_random(seed)} {}

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return bound < 2 ? 0 : random_->next() % bound; }
  [[nodiscard]] std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least + 1)));
  }
  [[nodiscard]] Duration ms(std::int64_t least, std::int64_t most) {
    return std::chrono::milliseconds{between(least, most)};
  }
  [[nodiscard]] bool percent(std::uint64_t chance) { return below(100) < chance; }
  [[nodiscard]] std::uint64_t next() { return random_->next(); }

 private:
  std::shared_ptr<Random> random_;
};

}  // namespace midplane::worlds
