// Problem: one part of a program has news, another wants it, and neither should know the other.
// A topic names the news and its type; publish says at once how many took it.
#include "market.hpp"

int main() {
  auto bus = must(midplane::Bus::open());
  auto subscription = must(bus.subscribe(exchange::market::ticks, [](const midplane::Message<exchange::Tick>& tick) {
    std::printf("%s at %.2f\n", tick->symbol()->c_str(), tick->price());
  }));
  auto ticks = must(bus.publisher(exchange::market::ticks));
  const auto published = must(ticks.publish(tick("ACME", 12.5)));
  bus.drain(std::chrono::seconds{5});  // the handler has returned
  std::printf("sinks %u, queued %u, dropped %u\n", published.sinks, published.queued, published.dropped);
}
