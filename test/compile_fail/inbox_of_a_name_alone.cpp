// A name says nothing of the type: a topic or a pattern does.
// expect-error: a name alone has no type: hand over a Topic<T>; for a name that is data .Topic<T>::named.name., for a pattern .Pattern<T>::parse.text

#include "twin.hpp"

void caller(midplane::Bus& bus) {
#ifdef GOOD
  const auto pattern = midplane::Pattern<twin::Tick>::parse("twin.*");
  if (!pattern) return;
  auto inbox = bus.inbox(*pattern);
  static_cast<void>(inbox.has_value());
#else
  bus.inbox("twin.*");
#endif
}
