#pragma once
/// What is ready, for many submitters and many workers. Submitting is one compare-exchange, never allocates and never
/// fails; workers take one at a time under a flag, first in first out.

#include <atomic>
#include <mutex>

#include <midplane/extend/executor.hpp>

#include "base/flag.hpp"
#include "base/intake.hpp"

namespace midplane::inline v0::exec {

class ReadyQueue {
 public:
  struct Taken {
    Work* work = nullptr;
    bool more = false;  ///< others stay behind that were moved out of the submitters' sight: see IdleSet
  };

  void push(Work& work) noexcept { submitted_.push(work); }
  [[nodiscard]] Taken pop() noexcept {
    const std::lock_guard lock{taking_};
    Work* work = ordered_.load(std::memory_order_relaxed);
    if (work == nullptr) work = submitted_.take_all();
    if (work == nullptr) return {};
    ordered_.store(work->next, std::memory_order_release);
    return {work, work->next != nullptr};
  }
  /// A hint: may say yes while another worker is in `pop`; that worker then answers for what it leaves behind.
  [[nodiscard]] bool looks_empty() const noexcept {
    return submitted_.empty() && ordered_.load(std::memory_order_acquire) == nullptr;
  }

 private:
  alignas(base::line_bytes) base::Intake<Work> submitted_;
  alignas(base::line_bytes) base::Flag taking_;
  std::atomic<Work*> ordered_{nullptr};
};

}  // namespace midplane::inline v0::exec
