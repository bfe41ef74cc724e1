// Nobody publishes to a pattern: wildcards stand in Pattern only.
// expect-error: this_name_is_malformed

#include <midplane/names.hpp>

#ifdef GOOD
inline const auto pattern = midplane::Pattern<midplane::Bytes>::parse("market.*.ticks");
#else
inline constexpr midplane::Topic<midplane::Bytes> topic{"market.*.ticks"};
#endif
