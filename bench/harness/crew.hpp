#pragma once
/// Threads that start together: senders on core 0, the receiver on core 1.

#include <atomic>
#include <thread>
#include <vector>

#include "harness/machine.hpp"

namespace midplane::bench {

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How long a receiver stays away that found nothing. One that looks again at once takes the lines away from
/// its sender for every message; one that comes by later finds many.
inline void relax(unsigned turns) noexcept {
  for (unsigned turn = 0; turn < turns; ++turn) relax();
}

/// Seconds from the common start until the last of them has returned. `send(index)` runs on `senders`
/// threads.
template <class Send, class Receive>
double run_together(unsigned senders, Send&& send, Receive&& receive) {
  std::atomic<unsigned> ready{0};
  std::atomic<bool> go{false};
  const auto start_line = [&ready, &go](unsigned core) {
    pin(core);
    ready.fetch_add(1);
    while (!go.load()) std::this_thread::yield();
  };
  std::vector<std::thread> threads;
  threads.reserve(senders + 1);
  for (unsigned index = 0; index < senders; ++index)
    threads.emplace_back([&start_line, &send, index] {
      start_line(0);
      send(index);
    });
  threads.emplace_back([&start_line, &receive] {
    start_line(1);
    receive();
  });
  while (ready.load() != senders + 1) std::this_thread::yield();
  const double start = now_seconds();
  go.store(true);
  for (std::thread& thread : threads) thread.join();
  return now_seconds() - start;
}

}  // namespace midplane::bench
