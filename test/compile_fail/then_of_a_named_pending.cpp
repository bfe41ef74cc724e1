// A callback takes the Pending along.
// expect-error: then takes the Pending along: std::move.pending..then.fn.

#include "twin.hpp"

void caller(midplane::Client<twin::Tick, twin::Weather>& client, const twin::TickT& question) {
  auto pending = client.request(question);
  const auto seen = [](const midplane::Result<midplane::Message<twin::Weather>>&) {};
#ifdef GOOD
  std::move(pending).then(seen);
#else
  pending.then(seen);
#endif
}
