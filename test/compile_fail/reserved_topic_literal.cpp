// Names below _midplane are the library's own.
// expect-error: this_name_is_malformed

#include <midplane/names.hpp>

#ifdef GOOD
inline constexpr midplane::Topic<midplane::Bytes> topic{"midplane.describe"};
#else
inline constexpr midplane::Topic<midplane::Bytes> topic{"_midplane.describe"};
#endif
