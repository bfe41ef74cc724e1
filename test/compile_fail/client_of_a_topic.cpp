// What is published on is not asked.
// expect-error: this is a Topic, which is published on: bus.publisher.topic., bus.subscribe.topic, handler.; what is asked has a Service

#include "twin.hpp"

void caller(midplane::Bus& bus) {
#ifdef GOOD
  auto client = bus.client(forecast);
#else
  auto client = bus.client(ticks);
#endif
  static_cast<void>(client.has_value());
}
