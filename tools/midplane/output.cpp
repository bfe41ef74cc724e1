#include "output.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

namespace midplane::tool {

void write_out() {
  errno = 0;
  if (std::cout.flush()) return;
  throw Unwritten{std::string{"stdout can not be written: "} + (errno != 0 ? std::strerror(errno) : "it failed before") + "; is the disk full?"};
}

}  // namespace midplane::tool
