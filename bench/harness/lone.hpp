#pragma once
/// Messages with nothing else under way: when one is sent, and how long it took to the other process.

#include <time.h>

#include <atomic>
#include <cstdint>

#include "harness/delays.hpp"
#include "harness/far_run.hpp"

namespace midplane::bench {

/// Between two messages both processes fall asleep.
inline constexpr std::uint64_t lone_pause_ns = 500'000;

/// Nanoseconds of the clock that the processes of one machine share.
inline std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// `send(sent_ns)` each time the pause is over. The message carries when it was sent.
template <class Send>
void send_singly(std::uint64_t messages, Send&& send) {
  for (std::uint64_t at = 0; at < messages; ++at) {
    const timespec pause{0, static_cast<long>(lone_pause_ns)};
    nanosleep(&pause, nullptr);
    send(now_ns());
  }
  // The last one arrives before the run is said to be over.
  constexpr timespec settle{0, 200'000'000};
  nanosleep(&settle, nullptr);
}

/// The receiver's list. One thread calls `arrived`; the others look when the run is over.
class LoneDelays {
 public:
  void restart(std::uint64_t messages) {
    delays_.restart(messages);
    expected_ = messages;
    seen_.store(0);
  }
  void arrived(std::uint64_t sent_ns) {
    delays_.add(static_cast<double>(now_ns() - sent_ns) * 1e-9);
    seen_.fetch_add(1);
  }
  [[nodiscard]] std::uint64_t left() const { return expected_ - seen_.load(); }
  [[nodiscard]] Outcome outcome() {
    return {.ended = now_seconds(), .lost = left(), .middle_us = delays_.microseconds_at(0.5)};
  }

 private:
  Delays delays_;
  std::uint64_t expected_ = 0;
  std::atomic<std::uint64_t> seen_{0};
};

}  // namespace midplane::bench
