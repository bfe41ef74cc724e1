// A value of one schema type is not published on a topic of another.
// expect-error: no value, builder, message or bytes of the topic's payload type

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  auto publisher = bus.publisher(ticks);
  if (!publisher) return;
#ifdef GOOD
  const twin::TickT value;
#else
  const twin::WeatherT value;
#endif
  static_cast<void>(publisher->publish(value).has_value());
}
