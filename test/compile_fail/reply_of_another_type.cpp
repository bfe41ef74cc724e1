// A server answers with the service's reply, not with its question.
// expect-error: no value, builder, message or bytes of the service's reply type

#include "twin.hpp"

void answer(midplane::Responder<twin::Weather> responder) {
#ifdef GOOD
  const twin::WeatherT value;
#else
  const twin::TickT value;
#endif
  static_cast<void>(responder.reply(value).has_value());
}
