#pragma once
/// What every example begins with: one way to end on an error, one way to write a value.

#include "market_midplane.hpp"
#include "must.hpp"

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
