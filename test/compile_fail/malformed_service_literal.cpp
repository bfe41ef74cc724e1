// A service's literal is checked while compiling: a space is no character of a token.
// expect-error: this_name_is_malformed

#include <midplane/names.hpp>

#ifdef GOOD
inline constexpr midplane::Service<midplane::Bytes, midplane::Bytes> service{"market.quote"};
#else
inline constexpr midplane::Service<midplane::Bytes, midplane::Bytes> service{"market quote"};
#endif
