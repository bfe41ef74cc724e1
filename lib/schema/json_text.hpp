#pragma once
/// JSON, written front to back, valid whatever the values are, and never longer than asked for.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace midplane::inline v0::schema {

class JsonText {
 public:
  JsonText(std::size_t bytes_max, bool pretty) noexcept : bytes_max_{bytes_max}, pretty_{pretty} {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void null() { value("null"); }
  void boolean(bool yes) { value(yes ? "true" : "false"); }
  /// As a number while a double holds it exactly, beyond 2^53 as a string.
  void integer(std::int64_t number);
  void natural(std::uint64_t number);
  /// The shortest text that reads back as the same number; "NaN", "Infinity", "-Infinity" as strings.
  void real(double number);
  void real(float number);
  /// Control characters escaped, each broken piece of UTF-8 as one U+FFFD.
  void string(std::string_view text);
  void base64(std::span<const std::byte> bytes);

  /// The text did not fit: stop writing, nothing is added any more.
  [[nodiscard]] bool is_full() const noexcept { return full_; }
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  void open(char bracket);
  void close(char bracket);
  void value(std::string_view text);
  void separate();
  void new_line();
  void put(std::string_view text);
  void put_quoted(std::string_view text);
  template <class Real>
  void put_real(Real number);

  std::string text_;
  std::size_t bytes_max_;
  std::size_t depth_ = 0;
  bool pretty_;
  bool full_ = false;
  bool first_ = true;       ///< nothing stands in the innermost bracket yet
  bool after_key_ = false;  ///< the next value belongs to the key just written
};

}  // namespace midplane::inline v0::schema
