// A handler takes messages of the subscribed type.
// expect-error: a handler takes .const Message<T>.. of the topic.s type

#include "twin.hpp"

void caller(midplane::Bus& bus) {
#ifdef GOOD
  auto subscription = bus.subscribe(ticks, [](const midplane::Message<twin::Tick>&) {});
#else
  auto subscription = bus.subscribe(ticks, [](const midplane::Message<twin::Weather>&) {});
#endif
  static_cast<void>(subscription.has_value());
}
