// A callable that builds in place must return the offset of the topic's own type.
// expect-error: no value, builder, message or bytes of the topic's payload type

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  auto publisher = bus.publisher(ticks);
  if (!publisher) return;
#ifdef GOOD
  auto published = publisher->publish([](auto& builder) { return twin::CreateTickDirect(builder, 1, "A"); });
#else
  auto published = publisher->publish([](auto& builder) { return twin::CreateWeather(builder, 1.0F); });
#endif
  static_cast<void>(published.has_value());
}
