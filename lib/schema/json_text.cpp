#include "schema/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "schema/utf8.hpp"

namespace midplane::inline v0::schema {

namespace {

constexpr std::uint64_t exact_in_double_max = std::uint64_t{1} << 53;

}  // namespace

void JsonText::put(std::string_view text) {
  if (full_ || text.size() > bytes_max_ - text_.size()) full_ = true;
  else text_.append(text);
}

void JsonText::new_line() {
  if (!pretty_) return;
  put("\n");
  for (std::size_t i = 0; i < depth_; ++i) put("  ");
}

void JsonText::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) put(",");
  if (depth_ != 0) new_line();
  first_ = false;
}

void JsonText::open(char bracket) {
  separate();
  put({&bracket, 1});
  ++depth_;
  first_ = true;
}

void JsonText::close(char bracket) {
  --depth_;
  if (!first_) new_line();
  put({&bracket, 1});
  first_ = false;
}

void JsonText::key(std::string_view name) {
  separate();
  put_quoted(name);
  put(pretty_ ? ": " : ":");
  after_key_ = true;
}

void JsonText::value(std::string_view text) {
  separate();
  put(text);
}

void JsonText::integer(std::int64_t number) {
  const auto size = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  const auto text = std::to_string(number);
  value(size > exact_in_double_max ? '"' + text + '"' : text);
}

void JsonText::natural(std::uint64_t number) {
  const auto text = std::to_string(number);
  value(number > exact_in_double_max ? '"' + text + '"' : text);
}

template <class Real>
void JsonText::put_real(Real number) {
  if (std::isnan(number)) return value("\"NaN\"");
  if (std::isinf(number)) return value(number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
  std::array<char, 40> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  value({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void JsonText::real(double number) { put_real(number); }
void JsonText::real(float number) { put_real(number); }

void JsonText::string(std::string_view text) {
  separate();
  put_quoted(text);
}

void JsonText::put_quoted(std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  put("\"");
  while (!text.empty() && !full_) {
    const auto piece = next_utf8(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (!piece.valid) put("\xEF\xBF\xBD");
    else if (c == '"') put("\\\"");
    else if (c == '\\') put("\\\\");
    else if (c == '\n') put("\\n");
    else if (c == '\r') put("\\r");
    else if (c == '\t') put("\\t");
    else if (c < 0x20 || c == 0x7F) put(std::string{"\\u00"} + hex[c >> 4] + hex[c & 15]);
    else put(text.substr(0, piece.bytes));
    text.remove_prefix(piece.bytes);
  }
  put("\"");
}

void JsonText::base64(std::span<const std::byte> bytes) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  separate();
  put("\"");
  for (std::size_t i = 0; i < bytes.size() && !full_; i += 3) {
    const auto left = bytes.size() - i;
    const auto byte = [&](std::size_t k) { return k < left ? std::to_integer<unsigned>(bytes[i + k]) : 0U; };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    const std::array<char, 4> four{letters[group >> 18], letters[group >> 12 & 63],
                                   left > 1 ? letters[group >> 6 & 63] : '=', left > 2 ? letters[group & 63] : '='};
    put({four.data(), four.size()});
  }
  put("\"");
}

}  // namespace midplane::inline v0::schema
