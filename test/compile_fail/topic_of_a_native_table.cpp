// A topic's type is the table, not the object API's value of it.
// expect-error: a topic's type is the table

#include "twin.hpp"

#ifdef GOOD
using Tick = twin::Tick;
#else
using Tick = twin::TickT;
#endif

std::string_view caller() {
  static constexpr midplane::Topic<Tick> odd{"twin.odd"};
  return odd.name();
}
