#pragma once
/// A strict reader of JSON, of the test's own: it accepts what RFC 8259 does and nothing more.

#include <cstddef>
#include <string_view>

#include "schema/utf8.hpp"

namespace midplane::schema_test {

class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : left_{text} {}
  bool is_valid() { return value(0) && (space(), left_.empty()); }

 private:
  bool take(char c) {
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }
  void space() {
    while (!left_.empty() && (left_[0] == ' ' || left_[0] == '\n')) left_.remove_prefix(1);
  }
  bool digits() {
    const auto before = left_.size();
    while (!left_.empty() && left_[0] >= '0' && left_[0] <= '9') left_.remove_prefix(1);
    return left_.size() != before;
  }

  bool value(int depth) {
    space();
    if (left_.empty() || depth > 300) return false;
    switch (left_[0]) {
      case '{': return list('{', '}', depth, true);
      case '[': return list('[', ']', depth, false);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  bool list(char open, char close, int depth, bool with_keys) {
    if (!take(open)) return false;
    space();
    if (take(close)) return true;
    do {
      space();
      if (with_keys && !(string() && (space(), take(':')))) return false;
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take(close);
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!left_.empty()) {
      if (take('"')) return true;
      if (take('\\')) {
        if (left_.empty()) return false;
        const char c = left_[0];
        left_.remove_prefix(1);
        if (c == 'u') {
          for (int i = 0; i < 4; ++i, left_.remove_prefix(1))
            if (left_.empty() || std::string_view{"0123456789abcdefABCDEF"}.find(left_[0]) == left_.npos) return false;
        } else if (std::string_view{"\"\\/bfnrt"}.find(c) == std::string_view::npos) {
          return false;
        }
        continue;
      }
      if (static_cast<unsigned char>(left_[0]) < 0x20) return false;
      const auto piece = schema::next_utf8(left_);
      if (!piece.valid) return false;
      left_.remove_prefix(piece.bytes);
    }
    return false;
  }

  std::string_view left_;
};

inline bool is_json(std::string_view text) { return JsonChecker{text}.is_valid(); }

}  // namespace midplane::schema_test
