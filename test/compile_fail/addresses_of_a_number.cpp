// Addresses are texts: one, or several in braces.
// expect-error: (convert|conversion)

#include <midplane/zmq.hpp>

std::unique_ptr<midplane::Transport> caller() {
#ifdef GOOD
  return midplane::zmq::transport({.listen = "tcp://127.0.0.1:0", .peers = {"ipc://a", "ipc://b"}});
#else
  return midplane::zmq::transport({.listen = 7400});
#endif
}
