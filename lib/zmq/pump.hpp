#pragma once
/// The one place where a transport waits: a thread of its own, or the user's loop when the executor is driven.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>

#include <midplane/extend/executor.hpp>

#include "zmq/descriptors.hpp"

struct epoll_event;

namespace midplane::inline v0::zmq {

/// Called by the pump, by one thread at a time.
class Pumped {
 public:
  /// `keys`: whose descriptors are readable. `alarm`: an instant asked for by `alarm_within` has come.
  virtual void turn(std::span<const std::uint64_t> keys, bool alarm) noexcept = 0;

 protected:
  ~Pumped() = default;
};

class Pump final : private Work {
 public:
  explicit Pump(Pumped& pumped) noexcept : pumped_{pumped} {}
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  ~Pump() { stop(); }

  /// `wait`: of the thread.
  Result<void> start(Executor& executor, Wait wait);
  /// Returns when no turn runs; idempotent. Not from within a turn.
  void stop() noexcept;

  /// Any thread. `key` comes back in the turns that follow, as long as `fd` is readable.
  Result<void> add(int fd, std::uint64_t key) noexcept;
  void remove(int fd) noexcept;
  /// Any thread: one more turn. What was asked for before the call is seen by that turn.
  void wake() noexcept;
  /// A turn with `alarm` within that time; alarms may come early, never late.
  void alarm_within(Duration duration) noexcept;

 private:
  void run() noexcept override { once(0); }
  void loop() noexcept;
  void once(int timeout_milliseconds) noexcept;
  int look(std::span<epoll_event> events, int timeout_milliseconds) noexcept;

  Pumped& pumped_;
  Executor* driver_ = nullptr;
  Wait wait_ = Wait::sleep;
  Descriptor epoll_;
  Descriptor wake_;
  Descriptor alarm_;
  std::thread thread_;
  std::mutex alarm_mutex_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace midplane::inline v0::zmq
