// A type that midplane-gen has not seen is no payload.
// expect-error: (incomplete type|undefined template) .*Codec<Plain>

#include "twin.hpp"

struct Plain {
  int number;
};
#ifdef GOOD
using Payload = twin::Tick;
#else
using Payload = Plain;
#endif
inline constexpr midplane::Topic<Payload> topic{"twin.plain"};

void caller(midplane::Bus& bus) {
  auto publisher = bus.publisher(topic);
  static_cast<void>(publisher.has_value());
}
