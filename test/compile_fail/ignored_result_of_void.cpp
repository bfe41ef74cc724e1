// A Result without a value says whether it worked all the same.
// expect-error: (unused-result|nodiscard)
// expect-error: a Result says whether it worked

#include <midplane/result.hpp>

midplane::Result<void> work();

void caller() {
#ifdef GOOD
  static_cast<void>(work().has_value());
#else
  work();
#endif
}
