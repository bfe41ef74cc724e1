#pragma once
/// The descriptor of a manual executor: an epoll over an eventfd that is rung for works and a timerfd for the next
/// deadline. Level-triggered: it stays readable until `quiet`, and until no armed deadline has passed.

#include <atomic>

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

 private:
  int event_ = -1;
  int timer_ = -1;
  std::atomic<int> epoll_{-1};
  std::atomic<bool> rung_{false};
  Instant armed_ = Instant::never();
};

}  // namespace midplane::inline v0::exec
