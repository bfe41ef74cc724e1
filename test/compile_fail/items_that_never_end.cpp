// What send_each calls says when the stream is over.
// expect-error: send_each takes a function without arguments that returns std::optional of an item

#include <optional>

#include "twin.hpp"

void answer(midplane::StreamResponder<twin::Tick> ticks) {
#ifdef GOOD
  std::move(ticks).send_each([]() -> std::optional<twin::TickT> { return twin::TickT{}; });
#else
  std::move(ticks).send_each([] { return twin::TickT{}; });
#endif
}
