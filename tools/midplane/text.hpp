#pragma once
/// What people read and what programs read: tables, one JSON object a line, durations, sizes.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/time.hpp>

namespace midplane::tool {

/// `250us`, `500ms`, `2s`, `1.5m`, `1h`; anything else is wrong usage that names `option`.
[[nodiscard]] Duration duration_of(std::string_view text, std::string_view option);
/// As short as it is exact enough: `850 us`, `1.25 ms`, `3.0 s`.
[[nodiscard]] std::string text_of(Duration duration);
/// `512 B`, `1.5 KiB`, `12.0 MiB`.
[[nodiscard]] std::string bytes_text(double bytes);
[[nodiscard]] std::string fixed(double number, int digits);
/// `1 message`, `2 messages`.
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);
[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view between = ", ");
[[nodiscard]] std::string hex16(std::uint64_t number);

/// In quotes, valid whatever the bytes are.
[[nodiscard]] std::string quoted(std::string_view text);
/// Text as it is when a terminal can show it; anything else escaped as in JSON.
[[nodiscard]] std::string shown(std::string_view text);
[[nodiscard]] std::string hex_of(std::span<const std::byte> bytes);
/// Rows of offset, 16 bytes, and letters.
[[nodiscard]] std::string hex_rows(std::span<const std::byte> bytes);
[[nodiscard]] inline std::string_view letters(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
/// Valid UTF-8 without control characters, besides tab and new line.
[[nodiscard]] bool is_text(std::string_view bytes) noexcept;

/// One JSON object on one line.
class JsonLine {
 public:
  JsonLine& text(std::string_view name, std::string_view value) { return raw(name, quoted(value)); }
  JsonLine& number(std::string_view name, std::uint64_t value) { return raw(name, std::to_string(value)); }
  JsonLine& real(std::string_view name, double value);
  JsonLine& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  /// A value that is JSON already.
  JsonLine& raw(std::string_view name, std::string_view json);
  [[nodiscard]] std::string str() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};
std::ostream& operator<<(std::ostream& out, const JsonLine& line);

/// Columns as wide as they must be. A heading that begins with `>` stands to the right, and so does its column.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const noexcept { return rows_.size() == 1; }

 private:
  friend std::ostream& operator<<(std::ostream& out, const Table& table);
  struct Rows : std::vector<std::vector<std::string>> {
    explicit Rows(std::vector<std::string> first) { push_back(std::move(first)); }
  } rows_;
};
std::ostream& operator<<(std::ostream& out, const Table& table);

/// One line on stderr, for people.
void note(const std::string& text);

}  // namespace midplane::tool
