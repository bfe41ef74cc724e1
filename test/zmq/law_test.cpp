#include "testing/transport_law.hpp"
#include "zmq/zmq_worlds.hpp"

namespace midplane::test {
MIDPLANE_TRANSPORT_LAW(TcpWorld, IpcWorld, DrivenWorld, WideWorld, YieldingWorld);
}  // namespace midplane::test
