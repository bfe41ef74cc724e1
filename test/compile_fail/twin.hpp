#pragma once
/// Contracts for the twins. Nothing is linked, so the schema's traits are declared only.

#include <midplane/midplane.hpp>

#include "twin_generated.h"

template <>
struct midplane::SchemaOf<twin::Tick> {
  static const midplane::TypeInfo& info() noexcept;
};
template <>
struct midplane::SchemaOf<twin::Weather> {
  static const midplane::TypeInfo& info() noexcept;
};

inline constexpr midplane::Topic<twin::Tick> ticks{"twin.ticks"};
inline constexpr midplane::Service<twin::Tick, twin::Weather> forecast{"twin.forecast"};
