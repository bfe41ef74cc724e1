// A name that is data comes as a Result, which has to be looked into.
// expect-error: this is a Result: hand over what it holds, \*topic

#include "twin.hpp"

void caller(midplane::Bus& bus, std::string_view name) {
  const auto topic = midplane::Topic<twin::Tick>::named(name);
  if (!topic) return;
#ifdef GOOD
  auto publisher = bus.publisher(*topic);
  static_cast<void>(publisher.has_value());
#else
  bus.publisher(topic);
#endif
}
