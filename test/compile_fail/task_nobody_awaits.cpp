// A subscription awaits nothing: the task of a coroutine would be thrown away, perhaps before it began.
// expect-error: nobody awaits what this handler returns

#include <coroutine>

#include "twin.hpp"

struct Lazy {
  struct promise_type {
    Lazy get_return_object() noexcept { return {}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {}
  };
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const noexcept {}
};

void caller(midplane::Bus& bus) {
#ifdef GOOD
  auto subscription = bus.subscribe(ticks, [](const midplane::Message<twin::Tick>&) {});
#else
  auto subscription = bus.subscribe(ticks, [](const midplane::Message<twin::Tick>&) -> Lazy { co_return; });
#endif
  static_cast<void>(subscription.has_value());
}
