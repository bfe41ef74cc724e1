#pragma once
/// The descriptor of a manual executor: an epoll over an eventfd that is rung for works, a timerfd for the next
/// deadline and what else is added. Level-triggered: it stays readable until `quiet`, until no armed deadline has
/// passed, and as long as anything added is readable.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <midplane/time.hpp>

namespace midplane::inline v0::exec {

class Doorbell {
 public:
  Doorbell() noexcept = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell();

  /// Opens the descriptors when they are not; one thread at a time. False when the system has none left.
  bool open() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return descriptor() >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return epoll_.load(std::memory_order_acquire); }

  /// Makes it readable. Any thread, once it is open.
  void ring() noexcept;
  /// Ends that. The driver only, before it leaves its mark for the next push: a ring that comes later stays.
  void quiet() noexcept;
  /// Readable from `due` on, an instant of the steady clock; `never()`: not. One thread at a time.
  void arm(Instant due) noexcept;
  [[nodiscard]] Instant armed() const noexcept { return armed_; }

  /// Any thread, once it is open. False when the system refuses. `key`: not 0.
  bool add(int fd, std::uint64_t key) noexcept;
  void remove(int fd) noexcept;
  /// The keys of what was added and is readable now, as many as fit; more come in the next call.
  std::size_t readable(std::span<std::uint64_t> keys) const noexcept;

  /// The driver, once it is open: `lie_down`, look a last time whether there is a reason not to sleep, then `sleep` or
  /// `get_up`. Waker: make the reason, then `wake`. Both first change the same word, as in `Parking`.
  void lie_down() noexcept {
    quiet();
    asleep_.exchange(true, std::memory_order_acq_rel);
  }
  void get_up() noexcept { asleep_.store(false, std::memory_order_relaxed); }
  /// Until it is readable or `until`, an instant of the steady clock; true when it is readable. May wake early.
  bool sleep(Instant until) noexcept;
  /// Any thread. Without a sleeper no call to the kernel.
  void wake() noexcept {
    if (asleep_.exchange(false, std::memory_order_acq_rel)) ring();
  }

 private:
  int event_ = -1;
  int timer_ = -1;
  std::atomic<int> epoll_{-1};
  std::atomic<bool> rung_{false};
  std::atomic<bool> asleep_{false};
  Instant armed_ = Instant::never();
};

}  // namespace midplane::inline v0::exec
