#pragma once
/// Log records as lines of text.

#include <chrono>
#include <string>

#include <midplane/extend/log_sink.hpp>

namespace midplane::inline v0::base {

/// What a line has at most, its newline included; longer ones are cut and end with `...`.
inline constexpr std::size_t log_line_bytes_max = 2000;

/// With its newline. `when`: since 1970, UTC.
[[nodiscard]] std::string log_line(const LogRecord& record, std::chrono::milliseconds when);

}  // namespace midplane::inline v0::base
