#pragma once
/// Bytes of a fuzzer read as a script: every byte means something, so that small changes give other valid stories.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace midplane::fuzz {

/// Ends the process as a crash would, in every build.
#define FUZZ_ASSERT(condition)                                                              \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);          \
      std::abort();                                                                         \
    }                                                                                       \
  } while (false)

class Script {
 public:
  explicit Script(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}
  [[nodiscard]] bool has_more() const noexcept { return at_ < bytes_.size(); }

  /// Zero behind the end.
  std::uint8_t byte() noexcept { return has_more() ? std::to_integer<std::uint8_t>(bytes_[at_++]) : std::uint8_t{0}; }
  std::uint8_t below(std::uint8_t bound) noexcept { return static_cast<std::uint8_t>(byte() % bound); }
  bool yes() noexcept { return (byte() & 1) != 0; }
  template <class T>
  T word() noexcept {
    T value{};
    const auto taken = take(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  /// Mostly small, now and then at an edge or anything at all.
  std::uint64_t number() noexcept {
    static constexpr std::array<std::uint64_t, 12> edges{
        0, 1, UINT8_MAX, UINT16_MAX, INT32_MAX, UINT32_MAX - 1, UINT32_MAX, std::uint64_t{UINT32_MAX} + 1,
        INT64_MAX, std::uint64_t{INT64_MAX} + 1, UINT64_MAX - 1, UINT64_MAX};
    const std::uint8_t chosen = byte();
    if (chosen < 200) return chosen % 32;
    if (chosen < 240) return edges[chosen % edges.size()];
    return word<std::uint64_t>();
  }
  std::span<const std::byte> take(std::size_t bytes) noexcept {
    const auto taken = bytes_.subspan(at_, std::min(bytes, bytes_.size() - at_));
    at_ += taken.size();
    return taken;
  }
  std::span<const std::byte> rest() noexcept { return take(bytes_.size()); }
  template <std::size_t N>
  std::string_view one_of(const std::array<std::string_view, N>& choices) noexcept {
    return choices[below(N)];
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace midplane::fuzz
