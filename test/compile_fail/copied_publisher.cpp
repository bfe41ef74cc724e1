// Handles are move-only: a copy would be a second order of numbers under one name.
// expect-error: (use of deleted function|deleted (copy )?constructor|call to deleted)

#include <utility>

#include "twin.hpp"

void caller(midplane::Publisher<twin::Tick>& publisher) {
#ifdef GOOD
  midplane::Publisher<twin::Tick> other{std::move(publisher)};
#else
  midplane::Publisher<twin::Tick> other{publisher};
#endif
  static_cast<void>(other);
}
