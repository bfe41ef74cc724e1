#pragma once
/// Do two sides of one name mean the same type?

#include <string>
#include <string_view>

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

/// Equal fingerprints agree, and raw bytes agree with everything. Otherwise one has to be a permitted evolution of the
/// other; else `schema_mismatch`, whose detail names the first field that disagrees and what it is here (`a`) and there
/// (`b`). A type whose binary schema is not valid answers `invalid_schema`.
[[nodiscard]] Result<void> agree(const TypeInfo& a, const TypeInfo& b);

/// Why a handle is refused whose name its own bus knows with another type: `why` is what `agree` has answered.
[[nodiscard]] Error known_otherwise(std::string_view name, const Error& why);

/// The binary schema of a type that names one which contains it; else `invalid_schema`.
[[nodiscard]] Result<Schema> load_type(const TypeInfo& type);
/// What keeps two types of one name, each contained in its schema, from agreeing: one line with the field and what it is
/// on each side. Empty: they agree.
[[nodiscard]] std::string disagreement(const Schema& here, const Schema& there, std::string_view type);
/// The detail of a disagreement as the other side has to say it: what is here to us is there to it.
[[nodiscard]] std::string seen_from_there(std::string_view detail);
/// The one text of all disagreements.
[[nodiscard]] Error mismatch(std::string_view detail);

}  // namespace midplane::inline v0::schema
