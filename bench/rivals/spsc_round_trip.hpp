#pragma once
/// Rival: a request and its reply over a bare pair of `boost::lockfree::spsc_queue`s of 64-byte values, one
/// outstanding. Both sides wait the same way: `Polling` looks again at once, `Sleeping` sleeps in the kernel
/// at once.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>

#include "harness/crew.hpp"
#include "harness/payload.hpp"

namespace midplane::bench {

class Polling {
 public:
  template <class Ready>
  void wait(Ready&& ready) {
    while (!ready()) relax();
  }
  void wake() {}
};

/// One sleeper. It says that it sleeps and looks again; the other side has pushed before it asks whether to
/// wake.
class Sleeping {
 public:
  template <class Ready>
  void wait(Ready&& ready) {
    while (!ready()) {
      asleep_.store(1, std::memory_order_seq_cst);
      if (ready()) {
        asleep_.store(0, std::memory_order_relaxed);
        return;
      }
      syscall(SYS_futex, &asleep_, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }
  void wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_relaxed) == 1 && asleep_.exchange(0) == 1)
      syscall(SYS_futex, &asleep_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  alignas(128) std::atomic<int> asleep_{0};
};

template <class Waiting>
class SpscRoundTrip {
 public:
  double run(std::uint64_t requests) {
    SequenceCheck check;
    const double seconds = run_together(
        1,
        [&](unsigned) {
          Payload payload;
          for (std::uint64_t at = 0; at < requests; ++at) {
            write(payload, at);
            there_.push(payload);
            payload = back_.pop();
            check(payload);
          }
        },
        [&] {
          for (std::uint64_t at = 0; at < requests; ++at) back_.push(there_.pop());
        });
    lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  class Lane {
   public:
    void push(const Payload& payload) {
      queue_.push(payload);
      waiting_.wake();
    }
    Payload pop() {
      Payload payload;
      waiting_.wait([this, &payload] { return queue_.pop(payload); });
      return payload;
    }

   private:
    boost::lockfree::spsc_queue<Payload, boost::lockfree::capacity<1024>> queue_;
    Waiting waiting_;
  };

  Lane there_, back_;
  std::uint64_t lost_ = 0;
};

}  // namespace midplane::bench
