#pragma once
/// Is this a FlatBuffer of the type reflection.Schema?

#include <span>

#include <cstddef>

namespace midplane::inline v0::schema {

/// The generated verifier does not count the strings it visits: tables that share one long vector of them make its
/// work quadratic. This one counts every step. True: the accessors of reflection_generated.h are safe to call.
[[nodiscard]] bool has_bfbs_shape(std::span<const std::byte> bytes) noexcept;

}  // namespace midplane::inline v0::schema
