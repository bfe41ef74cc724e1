// The options come last.
// expect-error: the handler comes before the options: serve.service, handler, ..queue = ...

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  const auto handler = [](const midplane::Request<twin::Tick>&) { return twin::WeatherT{}; };
#ifdef GOOD
  auto server = bus.serve(forecast, handler, {.queue = {.messages = 16}});
  static_cast<void>(server.has_value());
#else
  bus.serve(forecast, {.queue = {.messages = 16}}, handler);
#endif
}
