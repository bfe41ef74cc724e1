#include "base/futex.hpp"

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace midplane::inline v0::base {

bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Instant until) noexcept {
  timespec deadline{};
  const timespec* timeout = nullptr;
  if (until != Instant::never()) {
    // The kernel refuses negative seconds; any instant before the clock's start has passed anyway.
    const std::int64_t at = until.nanoseconds < 0 ? 0 : until.nanoseconds;
    deadline.tv_sec = static_cast<time_t>(at / 1'000'000'000);
    deadline.tv_nsec = static_cast<long>(at % 1'000'000'000);
    timeout = &deadline;
  }
  const int saved = errno;
  // FUTEX_WAIT_BITSET and not FUTEX_WAIT: only it takes an absolute deadline, so a retry after EINTR needs no sums.
  const long answer = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, timeout, nullptr,
                              FUTEX_BITSET_MATCH_ANY);
  const bool timed_out = answer == -1 && errno == ETIMEDOUT;
  errno = saved;
  return !timed_out;
}

void futex_wake(const std::uint32_t* word, int threads) noexcept {
  const int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, threads, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace midplane::inline v0::base
