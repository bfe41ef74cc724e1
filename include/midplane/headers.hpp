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

inline constexpr std::size_t header_entries_max = 16;
inline constexpr std::size_t header_bytes_max = 4096;  ///< names, values, tenant and keys together

enum class Priority : std::uint8_t { low, normal, high, critical };

/// W3C trace context in binary: trace id, parent span id, flags.
struct TraceContext {
  std::array<std::byte, 16> trace_id{};
  std::array<std::byte, 8> span_id{};
  std::byte flags{};
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

struct Headers {
  std::optional<TraceContext> trace;
  Priority priority = Priority::normal;
  std::string tenant;
  std::string routing_key;
  std::string idempotency_key;
  std::vector<std::pair<std::string, std::string>> entries;

  [[nodiscard]] const std::string* find(std::string_view name) const noexcept {
    for (const auto& [key, value] : entries) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  friend bool operator==(const Headers&, const Headers&) = default;
};

/// `too_large` when an entry count or the sum of bytes is over its limit.
[[nodiscard]] Result<void> validate(const Headers& headers);

}  // namespace v0
}  // namespace midplane
