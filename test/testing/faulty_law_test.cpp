#include "testing/faulty_worlds.hpp"
#include "testing/transport_law.hpp"

namespace midplane::test {
MIDPLANE_TRANSPORT_LAW(FaultyLawWorld<0>, FaultyLawWorld<1>, FaultyLawWorld<2>);
}  // namespace midplane::test
