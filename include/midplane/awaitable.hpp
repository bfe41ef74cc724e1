#pragma once
/// What `co_await` takes from Midplane: works in a coroutine of any task type. It resumes on the bus's executor;
/// destroying the coroutine that awaits cancels and never resumes it.

#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <midplane/function.hpp>
#include <midplane/result.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// One result that comes later. `start` is called when the coroutine suspends, with a callback that it must call
/// exactly once, on the executor.
template <class R>
class [[nodiscard("co_await it")]] Awaitable {
  struct State {
    std::mutex mutex;
    std::coroutine_handle<> waiter;
    std::optional<R> result;
  };

 public:
  /// What `start` is given: called with the result, once.
  class Done {
   public:
    /// Resumes the coroutine; nothing when it is gone.
    void operator()(R result) const {
      const auto state = state_.lock();
      if (!state) return;
      std::coroutine_handle<> resumed;
      {
        const std::lock_guard lock{state->mutex};
        state->result.emplace(std::move(result));
        resumed = std::exchange(state->waiter, nullptr);
      }
      if (resumed) resumed.resume();
    }
    /// Expires with the coroutine: what only one can have is then left to others.
    [[nodiscard]] std::weak_ptr<const void> awaiter() const noexcept { return state_; }

   private:
    friend class Awaitable;
    explicit Done(const std::shared_ptr<State>& state) noexcept : state_{state} {}
    std::weak_ptr<State> state_;
  };
  /// Made by the library; `start` runs when the coroutine suspends.
  explicit Awaitable(Function<void(Done)> start) : start_{std::move(start)} {}
  Awaitable(Awaitable&&) noexcept = default;
  Awaitable& operator=(Awaitable&&) noexcept = default;
  ~Awaitable() {
    if (!state_) return;
    const std::lock_guard lock{state_->mutex};
    state_->waiter = nullptr;
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    state_ = std::make_shared<State>();
    state_->waiter = waiter;
    start_(Done{state_});
  }
  R await_resume() { return std::move(*state_->result); }

 private:
  Function<void(Done)> start_;
  std::shared_ptr<State> state_;
};

}  // namespace v0
}  // namespace midplane
