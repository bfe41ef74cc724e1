#pragma once
/// What a fork leaves behind (P18). In the child only the calling thread goes on: whatever the other threads of the parent
/// had locked stays locked, and nobody is there to be joined. So the child must not touch what the parent had opened.

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace midplane::inline v0::base {

extern std::atomic<std::uint32_t> forks_so_far;

/// Another number in a child than in its parent. What remembers the number of its making knows whose it is.
[[nodiscard]] inline std::uint32_t forks() noexcept { return forks_so_far.load(std::memory_order_relaxed); }

/// Deletes in the process that made it. A child leaks it on purpose: to destroy it would join, lock or free what a thread
/// of the parent may have held; the parent's copy is another one, and is not missed.
struct DeleteWhereMade {
  std::uint32_t made_after = forks();
  template <class T>
  void operator()(T* made) const noexcept {
    if (made_after == forks()) delete made;
  }
};

template <class T, class... Args>
[[nodiscard]] std::shared_ptr<T> make_unforked(Args&&... args) {
  return std::shared_ptr<T>{new T(std::forward<Args>(args)...), DeleteWhereMade{}};
}

}  // namespace midplane::inline v0::base
