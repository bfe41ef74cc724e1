#include "zmq/descriptors.hpp"

#include <fcntl.h>

#include <array>
#include <cstring>

#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {

Result<void> require_descriptors(std::size_t count) {
  std::array<Descriptor, 64> probes;
  const std::size_t wanted = std::min(count + spare_descriptors, probes.size());
  for (std::size_t i = 0; i != wanted; ++i) {
    probes[i] = Descriptor{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)};
    if (!probes[i])
      return system_error("too few file descriptors are left for a ZeroMQ socket; raise the limit (ulimit -n)", errno);
  }
  return ok();
}

Result<void> require_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0)
      return system_error("descriptors 0, 1 and 2 must be open, on /dev/null if need be, before a transport starts", errno);
  return ok();
}

}  // namespace midplane::inline v0::zmq
