// What is asked is not published on.
// expect-error: this is a Service, which is asked: bus.client.service.; what is published has a Topic

#include "twin.hpp"

void caller(midplane::Bus& bus) {
#ifdef GOOD
  auto publisher = bus.publisher(ticks);
#else
  auto publisher = bus.publisher(forecast);
#endif
  static_cast<void>(publisher.has_value());
}
