// Only a literal is checked while compiling.
// expect-error: a name that is data may be malformed: Topic<T>::named.name. checks it

#include "twin.hpp"

bool caller(const std::string& name) {
#ifdef GOOD
  const auto topic = midplane::Topic<twin::Tick>::named(name);
  return topic.has_value();
#else
  const midplane::Topic<twin::Tick> topic{name};
  return topic.name() == name;
#endif
}
