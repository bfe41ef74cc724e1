#pragma once
/// What travels beside a payload. Absent headers cost nothing; near and far they arrive alike.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <midplane/result.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Of `Headers::entries`.
inline constexpr std::size_t header_entries_max = 16;
inline constexpr std::size_t header_bytes_max = 4096;  ///< names, values, tenant and keys together

/// Four levels; carried, not acted on by queues.
enum class Priority : std::uint8_t { low, normal, high, critical };

/// W3C trace context in binary: trace id, parent span id, flags.
struct TraceContext {
  std::array<std::byte, 16> trace_id{};  ///< of the whole trace
  std::array<std::byte, 8> span_id{};  ///< of the parent span
  std::byte flags{};  ///< 1: sampled
  /// Of all bytes.
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// Fields for common needs and free entries; all of them may be left out.
struct Headers {
  std::optional<TraceContext> trace{};  ///< where in a trace
  Priority priority = Priority::normal;  ///< how urgent
  std::string tenant{};  ///< on whose behalf
  std::string routing_key{};  ///< for balancers and readers
  std::string idempotency_key{};  ///< the same for two attempts at one thing
  std::vector<std::pair<std::string, std::string>> entries{};  ///< anything else; keys may repeat

  /// The first entry of this name; null when there is none.
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept {
    for (const auto& [key, value] : entries) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  /// Of all fields.
  friend bool operator==(const Headers&, const Headers&) = default;
};

/// `too_large` when an entry count or the sum of bytes is over its limit.
[[nodiscard]] Result<void> validate(const Headers& headers);

}  // namespace v0
}  // namespace midplane
