// Problem: a service asks another one before it answers, and callbacks would tear its text apart.
// The handler is a coroutine of a task type that Midplane has never heard of: anything that can be awaited will do.
#include <coroutine>
#include <optional>

#include "market.hpp"

using exchange::Ask;
using exchange::Quote;

/// A lazy task with a value, as every coroutine library has one.
template <class T>
class Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> waiter;
    Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Resume {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept { return h.promise().waiter; }
        void await_resume() noexcept {}
      };
      return Resume{};
    }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() noexcept { std::abort(); }
  };
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_{handle} {}
  Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, {})} {}
  ~Task() {
    if (handle_) handle_.destroy();
  }
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

int main() {
  auto bus = must(midplane::Bus::open({.executor = midplane::manual_executor()}));
  const midplane::Service<Ask, Quote> doubled{"market.doubled"};
  auto prices = must(bus.serve(exchange::market::quote, [](const midplane::Request<Ask>&) { return quote("ACME", 12.5); }));
  auto inner = must(bus.client(exchange::market::quote));
  auto server = must(bus.serve(doubled, [&](midplane::Request<Ask>) -> Task<midplane::Result<exchange::QuoteT>> {
    auto price = co_await inner.request(ask("ACME"));
    if (!price) co_return price.error();
    exchange::QuoteT answer;
    answer.symbol = (*price)->symbol()->str();
    answer.price = 2 * (*price)->price();
    co_return answer;
  }));
  auto client = must(bus.client(doubled));
  const auto reply = must(client.request(ask("ACME")).get());
  std::printf("%s twice: %.2f\n", reply->symbol()->c_str(), reply->price());
}
