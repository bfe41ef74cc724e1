// A client asks with the service's question, not with its answer.
// expect-error: no value, builder, message or bytes of the service's request type

#include "twin.hpp"

void caller(midplane::Bus& bus) {
  auto client = bus.client(forecast);
  if (!client) return;
#ifdef GOOD
  const twin::TickT question;
#else
  const twin::WeatherT question;
#endif
  auto pending = client->request(question);
  static_cast<void>(pending.get().has_value());
}
