// A handler that takes the question only has to return the answer.
// expect-error: returns the reply, a Result of it or a task

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  auto server = bus.serve(forecast, [](const midplane::Request<twin::Tick>&) {
#ifdef GOOD
    return twin::WeatherT{};
#endif
  });
  static_cast<void>(server.has_value());
}
