#pragma once
/// What every example begins with: one way to end on an error, one way to write a value.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <midplane/midplane.hpp>

#include "market_midplane.hpp"

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

/// Builds in the bus's own memory; nothing is copied on the way to a subscription.
inline auto tick(const char* symbol, double price) {
  return [=](flatbuffers::FlatBufferBuilder& b) { return exchange::CreateTickDirect(b, symbol, price); };
}
inline auto ask(const char* symbol, unsigned count = 1) {
  return [=](flatbuffers::FlatBufferBuilder& b) { return exchange::CreateAskDirect(b, symbol, count); };
}
inline auto quote(const char* symbol, double price) {
  return [=](flatbuffers::FlatBufferBuilder& b) { return exchange::CreateQuoteDirect(b, symbol, price); };
}
