// Problem: the buses shall meet over something that is not ZeroMQ: shared memory, a radio, or as here a table in memory.
// A Transport moves frames and reads none of them; numbers, confirmations and reconnecting are the link's, above it.
#include "market.hpp"
#include "memory_transport.hpp"

int main() {
  const auto loop = midplane::manual_executor();  // both buses run in this thread; a pool each would do as well
  const auto medium = std::make_shared<memory::Medium>();
  auto shop = must(midplane::Bus::open({.name = "shop", .executor = loop}));
  auto desk = must(midplane::Bus::open({.name = "desk", .executor = loop}));

  auto server = must(shop.serve(exchange::market::quote, [](const midplane::Request<exchange::Ask>& asked) {
    return quote(asked->symbol()->c_str(), 12.5);
  }));
  auto seen = must(desk.subscribe(exchange::market::ticks, [](const midplane::Message<exchange::Tick>& tick) {
    std::printf("%s says: %s at %.2f\n", std::string{tick.peer()}.c_str(), tick->symbol()->c_str(), tick->price());
  }));
  must(shop.attach(std::make_unique<memory::Transport>(medium, std::vector<std::string>{"memory://shop"},
                                                       std::vector<std::string>{})));
  must(desk.attach(std::make_unique<memory::Transport>(medium, std::vector<std::string>{},
                                                       std::vector<std::string>{"memory://shop"})));
  must(seen.wait_confirmed(std::chrono::seconds{5}));  // drives the loop meanwhile

  auto ticks = must(shop.publisher(exchange::market::ticks));
  must(ticks.publish(tick("ACME", 12.5)));
  auto client = must(desk.client(exchange::market::quote));
  const auto reply = must(client.request(ask("OTTO")).get());
  std::printf("%s answers: %s costs %.2f\n", std::string{reply.peer()}.c_str(), reply->symbol()->c_str(), reply->price());
}
