#pragma once
/// Do two sides of one name mean the same type?

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

namespace midplane::inline v0::schema {

/// Equal fingerprints agree, and raw bytes agree with everything. Otherwise one has to be a permitted evolution of the
/// other; else `schema_mismatch`, whose detail names the first field that disagrees on both sides.
[[nodiscard]] Result<void> agree(const TypeInfo& a, const TypeInfo& b);

}  // namespace midplane::inline v0::schema
