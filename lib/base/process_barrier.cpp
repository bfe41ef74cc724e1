#include "base/process_barrier.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace midplane::inline v0::base {
namespace {

bool membarrier(int command) noexcept {
  const int before = errno;
  const bool done = ::syscall(__NR_membarrier, command, 0, 0) == 0;
  errno = before;
  return done;
}

std::atomic<bool>& is_possible() noexcept {
  static std::atomic<bool> possible{membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)};
  return possible;
}

}  // namespace

bool can_order_all_threads() noexcept { return is_possible().load(std::memory_order_relaxed); }

bool order_all_threads() noexcept {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  // A forked child has to ask for itself.
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  is_possible().store(false, std::memory_order_relaxed);
  // The one time, for each who counted on it: longer than a store can be on its way.
  std::this_thread::sleep_for(std::chrono::milliseconds{1});
  return false;
}

}  // namespace midplane::inline v0::base
