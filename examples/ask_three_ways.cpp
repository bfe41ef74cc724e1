// Problem: the same question is asked by code that may wait, by code that must not, and by coroutines.
// One request, three endings: get() waits, then() calls back, co_await resumes. All run on this loop here.
#include <coroutine>

#include "market.hpp"

using exchange::Quote;

/// The least a coroutine needs; Midplane brings no task type of its own.
struct Started {
  struct promise_type {
    Started get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::abort(); }
  };
};

void print(const char* style, const midplane::Result<midplane::Message<Quote>>& reply) {
  if (reply) std::printf("%s: %s costs %.2f\n", style, (*reply)->symbol()->c_str(), (*reply)->price());
  else std::printf("%s: %s\n", style, std::string{name_of(reply.error().code())}.c_str());
}

Started ask_in_coroutine(midplane::Client<exchange::Ask, Quote>& client, bool& done) {
  print("co_await", co_await client.request(ask("ACME")));
  done = true;
}

int main() {
  const auto loop = midplane::manual_executor();
  auto bus = must(midplane::Bus::open({.executor = loop}));
  auto client = must(bus.client(exchange::market::quote));
  print("nobody serves", client.request(ask("ACME")).get());

  auto server = must(bus.serve(exchange::market::quote, [](const midplane::Request<exchange::Ask>&) {
    return quote("ACME", 12.5);
  }));
  print("get", client.request(ask("ACME")).get());

  bool then_done = false;
  client.request(ask("ACME")).then([&](const auto& reply) {
    print("then", reply);
    then_done = true;
  });
  while (!then_done) loop->run_for(std::chrono::milliseconds{10});

  bool coroutine_done = false;
  ask_in_coroutine(client, coroutine_done);
  while (!coroutine_done) loop->run_for(std::chrono::milliseconds{10});
}
