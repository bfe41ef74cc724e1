// Who ignores whether a call worked finds out at the worst moment.
// expect-error: (unused-result|nodiscard)
// expect-error: a Result says whether it worked

#include <midplane/result.hpp>

midplane::Result<int> work();

void caller() {
#ifdef GOOD
  if (auto result = work(); !result) return;
#else
  work();
#endif
}
