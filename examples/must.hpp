#pragma once
/// One way for every example to end on an error.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <midplane/midplane.hpp>

/// The value, or the end of the program with the error's own words.
template <class T>
T must(midplane::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}
inline void must(const midplane::Result<void>& result) {
  if (result) return;
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}
