#include "text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "stop.hpp"

namespace midplane::tool {
namespace {

/// Bytes of the character at the front; 0 when it is none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i) < low || byte(i) > high) return 0;
  }
  return length;
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// Characters, not bytes: what a terminal shows.
std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string printed(const char* format, double number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

}  // namespace

Duration duration_of(std::string_view text, std::string_view option) {
  double number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  const double ns = unit == "us" ? 1e3 : unit == "ms" ? 1e6 : unit == "s" ? 1e9 : unit == "m" ? 60e9 : unit == "h" ? 3600e9 : 0;
  if (fault != std::errc{} || ns == 0 || !(number >= 0) || number * ns > 1e17)
    stop(Exit::usage, std::string{option} + ": no duration: " + shown(text) + "; write for instance 500ms, 2s, 1m or 1h");
  return Duration{static_cast<std::int64_t>(number * ns)};
}

std::string text_of(Duration duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e3) return printed("%.0f ns", ns);
  if (ns < 1e6) return printed(ns < 1e5 ? "%.1f us" : "%.0f us", ns / 1e3);
  if (ns < 1e9) return printed(ns < 1e8 ? "%.2f ms" : "%.0f ms", ns / 1e6);
  return printed("%.1f s", ns / 1e9);
}

std::string bytes_text(double bytes) {
  if (bytes < 1024) return printed("%.0f B", bytes);
  if (bytes < 1024.0 * 1024) return printed("%.1f KiB", bytes / 1024);
  return printed("%.1f MiB", bytes / 1024 / 1024);
}

std::string fixed(double number, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + ' ' + std::string{noun} + (count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string all;
  for (const std::string& word : words) all.append(all.empty() ? "" : between).append(word);
  return all;
}

std::string hex16(std::uint64_t number) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

std::string quoted(std::string_view text) {
  std::string json{'"'};
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) {
      json += "\xEF\xBF\xBD";
    } else if (text[0] == '"' || text[0] == '\\') {
      (json += '\\') += text[0];
    } else if (is_control(text[0])) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
      json += escape.data();
    } else {
      json += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return json + '"';
}

std::string shown(std::string_view text) {
  const bool plain = !text.empty() && is_text(text) && std::none_of(text.begin(), text.end(), is_control);
  return plain ? std::string{text} : quoted(text);
}

bool is_text(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t length = character_bytes(bytes);
    if (length == 0 || (is_control(bytes[0]) && bytes[0] != '\n' && bytes[0] != '\t')) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string hex_of(std::span<const std::byte> bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) (text += digits[std::to_integer<unsigned>(byte) >> 4]) += digits[std::to_integer<unsigned>(byte) & 15];
  return text;
}

std::string hex_rows(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    const auto row = bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at));
    std::array<char, 32> offset{};
    std::snprintf(offset.data(), offset.size(), "  %04zx ", at);
    text += offset.data();
    std::string held;
    for (std::size_t i = 0; i < 16; ++i) {
      text += i < row.size() ? " " + hex_of(row.subspan(i, 1)) : "   ";
      if (i < row.size()) held += row[i] >= std::byte{0x20} && row[i] < std::byte{0x7F} ? std::to_integer<char>(row[i]) : '.';
    }
    text += "  " + held + "\n";
  }
  return text;
}

JsonLine& JsonLine::real(std::string_view name, double value) {
  if (!std::isfinite(value)) return raw(name, "null");
  std::array<char, 40> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return raw(name, {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

JsonLine& JsonLine::raw(std::string_view name, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_.append(quoted(name)).append(":").append(json);
  return *this;
}

std::ostream& operator<<(std::ostream& out, const JsonLine& line) { return out << line.str() << '\n'; }

std::ostream& operator<<(std::ostream& out, const Table& table) {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (const std::string& heading : table.rows_.front()) right.push_back(heading.starts_with('>'));
  const auto cell = [&](const std::vector<std::string>& row, std::size_t column) {
    std::string_view text = row[column];
    if (&row == &table.rows_.front() && right[column]) text.remove_prefix(1);
    return text;
  };
  for (const auto& row : table.rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(cell(row, i)));
  }
  for (const auto& row : table.rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width_of(cell(row, i)), ' ');
      if (i > 0) line += "  ";
      if (right[i]) line.append(pad).append(cell(row, i));
      else line.append(cell(row, i)).append(pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
  return out;
}

void note(const std::string& text) { std::cerr << "midplane: " << text << std::endl; }

}  // namespace midplane::tool
