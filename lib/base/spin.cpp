#include "base/spin.hpp"

#include <atomic>

namespace midplane::inline v0::base {

namespace {
std::atomic<bool> taken{false};
}

bool take_spin_turn() noexcept {
  return !taken.load(std::memory_order_relaxed) && !taken.exchange(true, std::memory_order_acquire);
}
void give_spin_turn() noexcept { taken.store(false, std::memory_order_release); }

}  // namespace midplane::inline v0::base
