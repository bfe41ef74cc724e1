#pragma once
/// Setting up a benchmark either works or ends it.

#include <cstdio>
#include <cstdlib>
#include <midplane/result.hpp>
#include <utility>

namespace midplane::bench {

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message().c_str());
    std::exit(1);
  }
  return std::move(*result);
}

inline void must(const Result<void>& result) {
  if (result) return;
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}

}  // namespace midplane::bench
