#pragma once
/// Any payload as JSON by its schema, and back, for people and tools.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

inline constexpr std::size_t json_bytes_max = std::size_t{64} << 20;  ///< of the text that `from_json` reads

/// The way back: the payload that a JSON object stands for, in the forms that `to_json` writes. Absent and null fields
/// are left out; byte vectors may be arrays, enums numbers. Errors: malformed, whose detail says line and column, and,
/// when the text is JSON but does not fit, the field and what it takes; invalid_schema, too_large, unsupported.
[[nodiscard]] Result<std::vector<std::byte>> from_json(std::string_view text, const TypeInfo& type);

}  // namespace v0
}  // namespace midplane
