#pragma once
/// Where Midplane says what it did and noticed. Silent by default: without a sink nothing is formatted or written.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How much it matters.
enum class LogLevel : std::uint8_t { debug, info, warning, error };
/// `debug`, as written above.
[[nodiscard]] std::string_view name_of(LogLevel level) noexcept;

/// A key and its value as text; bytes that came from a peer are escaped already.
struct LogField {
  std::string_view key;  ///< `peer`, `topic`
  std::string_view value;  ///< as text
};

/// One line of a log, in parts.
struct LogRecord {
  LogLevel level;  ///< how much it matters
  std::string_view code;     ///< stable, `link.peer_lost`; look it up in the documentation
  std::string_view message;  ///< what happened
  std::string_view action;   ///< what to do about it; empty when nothing
  std::span<const LogField> fields;  ///< which peer, topic, number
};

/// Law: `log` may be called from any thread and must not call back into the bus. Views end with the call.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// Any thread; must not call back into the bus.
  virtual void log(const LogRecord& record) noexcept = 0;
};

/// A sink that writes each record of at least this level to standard error, as one line of at most 2000 bytes:
/// `2026-11-21T22:10:53.125Z warning link.peer_lost: a link ended; it is dialled again (peer=db1)`. A line that can not be
/// written is lost; `log` blocks as long as the write does. Throws bad_alloc.
[[nodiscard]] std::shared_ptr<LogSink> stderr_log(LogLevel least = LogLevel::warning);

}  // namespace v0
}  // namespace midplane
