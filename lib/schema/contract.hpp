#pragma once
/// Do two sides of one name mean the same type?

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

namespace midplane::inline v0::schema {

/// Equal fingerprints agree, and raw bytes agree with everything. Otherwise one has to be a permitted evolution of the
/// other; else `schema_mismatch`, whose detail names the first field that disagrees and what it is here (`a`) and there
/// (`b`). A type whose binary schema is not valid answers `invalid_schema`.
[[nodiscard]] Result<void> agree(const TypeInfo& a, const TypeInfo& b);

}  // namespace midplane::inline v0::schema
