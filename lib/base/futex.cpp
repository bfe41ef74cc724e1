#include "base/futex.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace midplane::inline v0::base {
namespace {

struct Later {
  struct Wake {
    const std::uint32_t* word;
    int threads;
  };
  std::array<Wake, 8> wakes;
  std::size_t size = 0;
  int depth = 0;
};
constinit thread_local Later later{};

bool wake(const std::uint32_t* word, int threads) noexcept {
  const int saved = errno;
  const long woken = syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, threads, nullptr, nullptr, 0);
  errno = saved;
  return woken > 0;
}

}  // namespace

WakesLater::WakesLater() noexcept { ++later.depth; }

WakesLater::~WakesLater() {
  if (--later.depth == 0) now();
}

void WakesLater::now() noexcept {
  Later& mine = later;
  for (std::size_t i = 0; i < mine.size; ++i) wake(mine.wakes[i].word, mine.wakes[i].threads);
  mine.size = 0;
}

bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Instant until) noexcept {
  WakesLater::now();
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

bool futex_wake(const std::uint32_t* word, int threads) noexcept {
  Later& mine = later;
  if (mine.depth == 0) return wake(word, threads);
  for (std::size_t i = 0; i < mine.size; ++i) {
    if (mine.wakes[i].word != word) continue;
    if (threads == all_threads) mine.wakes[i].threads = all_threads;
    else if (mine.wakes[i].threads != all_threads) mine.wakes[i].threads += threads;
    return true;
  }
  if (mine.size == mine.wakes.size()) return wake(word, threads);
  mine.wakes[mine.size++] = {word, threads};
  return true;
}

}  // namespace midplane::inline v0::base
