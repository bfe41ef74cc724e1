#pragma once
/// Any payload as JSON by its schema, for people and tools.

#include <cstddef>
#include <span>
#include <string>

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How the text is to look.
struct JsonOptions {
  bool pretty = false;  ///< with line breaks and indentation
  std::size_t bytes_max = std::size_t{64} << 20;  ///< of the text; more is `too_large`
};

/// Valid JSON for every value: numbers that are not finite as "NaN", "Infinity", "-Infinity"; integers beyond 2^53 as
/// decimal strings; control characters escaped; invalid UTF-8 as U+FFFD; byte vectors as base64; enums by name.
/// The payload is verified against the schema first. Errors: malformed, invalid_schema, too_large, unsupported (raw
/// bytes have no schema).
[[nodiscard]] Result<std::string> to_json(std::span<const std::byte> payload, const TypeInfo& type,
                                          JsonOptions options = {});

}  // namespace v0
}  // namespace midplane
