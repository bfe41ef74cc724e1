// The options come last.
// expect-error: the handler comes before the options: subscribe.topic, handler, ..queue = ...

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  const auto handler = [](const midplane::Message<twin::Tick>&) {};
#ifdef GOOD
  // What is not named of a queue stays as the topic says, so the name of the type is not needed.
  auto subscription = bus.subscribe(ticks, handler, {.queue = {.messages = 16}});
  static_cast<void>(subscription.has_value());
#else
  bus.subscribe(ticks, {.queue = {.messages = 16}}, handler);
#endif
}
