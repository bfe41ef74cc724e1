// A name says nothing of the types: a service does.
// expect-error: a name alone has no types: hand over a Service<Q, R>; for a name that is data, .Service<Q, R>::named.name

#include "twin.hpp"

void caller(midplane::Bus& bus) {
#ifdef GOOD
  auto client = bus.client(forecast);
  static_cast<void>(client.has_value());
#else
  bus.client("twin.forecast");
#endif
}
