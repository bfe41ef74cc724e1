#pragma once
/// Getting what is printed out of the program.

#include <stdexcept>

namespace midplane::tool {

/// What was found out does not count when it can not be said.
struct Unwritten : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Writes out what was printed to std::cout. Throws Unwritten.
void write_out();

}  // namespace midplane::tool
