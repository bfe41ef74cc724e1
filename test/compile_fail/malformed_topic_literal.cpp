// A topic's literal is checked while compiling.
// expect-error: this_name_is_malformed

#include <midplane/names.hpp>

#ifdef GOOD
inline constexpr midplane::Topic<midplane::Bytes> topic{"market.ticks"};
#else
inline constexpr midplane::Topic<midplane::Bytes> topic{"market..ticks"};
#endif
