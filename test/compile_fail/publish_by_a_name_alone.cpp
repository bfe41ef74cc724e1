// A name says nothing of the type: a topic does.
// expect-error: a name alone has no type: hand over a Topic<T>; for a name that is data, .Topic<T>::named.name

#include "twin.hpp"

void caller(midplane::AnyPublisher& any) {
#ifdef GOOD
  const auto topic = midplane::Topic<twin::Tick>::named("twin.ticks");
  if (!topic) return;
  static_cast<void>(any.publish(*topic, twin::TickT{}).has_value());
#else
  any.publish("twin.ticks", twin::TickT{});
#endif
}
