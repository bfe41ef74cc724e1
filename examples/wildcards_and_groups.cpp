// Problem: topics carry a place in their name, an observer wants all places, and two workers share the load.
// A pattern covers many topics; each message goes to one member of each queue group.
#include "market.hpp"

using exchange::Tick;

int main() {
  auto bus = must(midplane::Bus::open({.executor = midplane::manual_executor()}));
  const auto all = must(exchange::market::ticks_at_pattern());
  auto observer = must(bus.subscribe(all, [](const midplane::Message<Tick>& tick) {
    std::printf("observed %s: %s\n", std::string{tick.topic()}.c_str(), tick->symbol()->c_str());
  }));
  int handled[2] = {};
  auto first = must(bus.subscribe(all, [&](const midplane::Message<Tick>&) { ++handled[0]; }, {.group = "workers"}));
  auto second = must(bus.subscribe(all, [&](const midplane::Message<Tick>&) { ++handled[1]; }, {.group = "workers"}));

  auto publisher = must(bus.publisher());  // names the topic per call
  for (const char* place : {"zurich", "london"}) {
    const auto topic = must(exchange::market::ticks_at(place));
    for (const char* symbol : {"ACME", "OTTO"}) {
      const auto published = must(publisher.publish(topic, tick(symbol, 1)));
      if (published.sinks != 2) std::printf("unexpected: %u sinks\n", published.sinks);
    }
  }
  bus.drain(std::chrono::seconds{5});
  std::printf("workers handled %d and %d\n", handled[0], handled[1]);
}
