#pragma once
/// The next character of a text that may be broken.

#include <cstddef>
#include <string_view>

namespace midplane::inline v0::schema {

struct Utf8Piece {
  std::size_t bytes;  ///< at least 1
  bool valid;
};

/// Of a text that is not empty. A broken piece is as long as what could still have become a character (the practice
/// Unicode recommends), so one mistake becomes one U+FFFD. Overlong forms, surrogates and numbers above U+10FFFF are
/// broken.
[[nodiscard]] constexpr Utf8Piece next_utf8(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (length == 0) return {1, false};
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (i == text.size() || byte(i) < low || byte(i) > high) return {i, false};
  }
  return {length, true};
}

}  // namespace midplane::inline v0::schema
