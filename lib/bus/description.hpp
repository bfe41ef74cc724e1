#pragma once
/// A Description as the FlatBuffer of `describe.fbs`, and back.

#include <optional>
#include <string_view>
#include <vector>

#include <midplane/describe.hpp>
#include <midplane/options.hpp>
#include <midplane/stats.hpp>

namespace midplane::inline v0::detail {

/// Names below this are the library's own: no handle of a user has one.
inline constexpr std::string_view own_prefix = "_midplane.";

[[nodiscard]] inline TypeDescription describe_type(const TypeInfo& type) {
  return {std::string{type.name}, type.fingerprint};
}
[[nodiscard]] CountsDescription describe_counts(const SinkStats& sink);
/// `drop_newest`, as a schema says it.
[[nodiscard]] std::string_view name_of(Overflow overflow) noexcept;
/// Adds what another server of the same service counted.
void add(CountsDescription& sum, const CountsDescription& counts);

[[nodiscard]] std::vector<std::byte> encode(const Description& description);
[[nodiscard]] std::vector<std::byte> encode_schema_ask(std::uint64_t fingerprint);
[[nodiscard]] std::vector<std::byte> encode_schema(std::string_view type, std::span<const std::byte> bfbs);

/// nullopt: not valid.
[[nodiscard]] std::optional<std::uint64_t> fingerprint_asked(std::span<const std::byte> bytes) noexcept;
/// Without the fingerprint, which the asker knows; nullopt: not valid.
[[nodiscard]] std::optional<TypeSchema> decode_schema(std::span<const std::byte> bytes);

}  // namespace midplane::inline v0::detail
