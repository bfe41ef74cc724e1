#pragma once
/// Ctrl-C. Blocked in every thread and taken by one of its own, so that no system call of a library is disturbed.

#include <atomic>
#include <functional>
#include <mutex>

namespace midplane::tool {

class Signals {
 public:
  /// Before any other thread is started.
  Signals();
  Signals(const Signals&) = delete;

  /// From now on the first signal calls `fn`, on another thread, and the second ends the program at once. Before, or
  /// with none, the first one does: nothing is under way that would have to be told.
  void on_first(std::function<void()> fn);
  [[nodiscard]] bool fired() const noexcept { return fired_; }

 private:
  void wait();
  std::mutex mutex_;
  std::function<void()> first_;
  std::atomic<bool> fired_{false};
};

}  // namespace midplane::tool
