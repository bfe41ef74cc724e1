// A responder that send_each does not take along would answer a second time.
// expect-error: send_each takes the responder along

#include <optional>

#include "twin.hpp"

void answer(midplane::StreamResponder<twin::Tick> ticks) {
  const auto next = []() -> std::optional<twin::TickT> { return std::nullopt; };
#ifdef GOOD
  std::move(ticks).send_each(next);
#else
  ticks.send_each(next);
#endif
}
