#pragma once
/// What the library answers to bad input, one line each: table, then cells, parted by tabs. docs/errors.md is compared
/// with them by sweep_test.py.

#include <cstdio>
#include <initializer_list>
#include <string>

#include <midplane/result.hpp>

namespace midplane::sweep {

inline void row(std::initializer_list<std::string> cells) {
  const char* tab = "";
  for (const std::string& cell : cells) std::printf("%s%s", std::exchange(tab, "\t"), cell.c_str());
  std::printf("\n");
}

template <class T>
std::string answer(const Result<T>& result) {
  return result ? std::string{"accepted"} : result.error().message();
}

void codes();
void options();
void far_options();  ///< of the ZeroMQ transport
void frames();

}  // namespace midplane::sweep
