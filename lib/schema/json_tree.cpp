#include "schema/json_tree.hpp"

#include <algorithm>

#include "schema/utf8.hpp"

namespace midplane::inline v0::schema {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Of four hex digits that are there.
std::uint32_t code_unit(std::string_view digits) noexcept {
  std::uint32_t unit = 0;
  for (const char c : digits.substr(0, 4)) unit = unit << 4 | static_cast<std::uint32_t>(hex_digit(c));
  return unit;
}

void append_utf8(std::string& text, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) put(0xE0 | c >> 12);
    else put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

}  // namespace

/// Recursive descent; `fault_` stays with the first mistake.
class JsonParser {
 public:
  explicit JsonParser(JsonTree& tree) noexcept : tree_{tree}, text_{tree.text_} {}

  bool run() {
    skip_space();
    if (value(0) == 0) return false;
    skip_space();
    return at_ == text_.size() || expected("the end");
  }
  [[nodiscard]] std::string fault() const {
    std::string found = "the end";
    if (fault_at_ < text_.size()) {
      const auto piece = next_utf8(text_.substr(fault_at_));
      const bool shows = piece.valid && static_cast<unsigned char>(text_[fault_at_]) >= 0x20 && text_[fault_at_] != 0x7F;
      found = shows ? "'" + std::string{text_.substr(fault_at_, piece.bytes)} + "'" : "a byte that can not stand there";
    }
    return tree_.place(fault_at_) + ": expected " + fault_ + ", found " + found;
  }

 private:
  using Kind = JsonTree::Kind;

  bool expected(const char* what) {
    fault_ = what;
    fault_at_ = at_;
    return false;
  }
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() noexcept {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }
  std::uint32_t node(Kind kind, std::size_t from, std::size_t to) {
    tree_.nodes_.push_back({kind, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from), 0, 0});
    return static_cast<std::uint32_t>(tree_.nodes_.size() - 1);
  }

  /// The index of its node; 0: a mistake.
  std::uint32_t value(std::size_t depth) {
    if (depth > json_depth_max) return expected("less nesting"), 0;
    switch (peek()) {
      case '{': return many(Kind::object, '}', depth);
      case '[': return many(Kind::array, ']', depth);
      case '"': return string();
      case 't': return word("true", Kind::boolean);
      case 'f': return word("false", Kind::boolean);
      case 'n': return word("null", Kind::null);
      default: return number();
    }
  }
  std::uint32_t word(std::string_view word, Kind kind) {
    if (text_.substr(at_, word.size()) != word) return expected("a value"), 0;
    at_ += word.size();
    return node(kind, at_ - word.size(), at_);
  }
  std::uint32_t number() {
    const std::size_t from = at_;
    if (peek() == '-') ++at_;
    if (!is_digit(peek())) return expected(at_ == from ? "a value" : "a digit"), 0;
    if (peek() == '0') ++at_;
    else digits();
    if (is_digit(peek())) return expected("no digit behind a leading zero"), 0;
    if (peek() == '.') {
      ++at_;
      if (!is_digit(peek())) return expected("a digit"), 0;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return expected("a digit"), 0;
      digits();
    }
    return node(Kind::number, from, at_);
  }
  void digits() noexcept {
    while (is_digit(peek())) ++at_;
  }
  std::uint32_t string() {
    const std::size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto c = static_cast<unsigned char>(text_[at_]);
      const auto piece = next_utf8(text_.substr(at_));
      if (c < 0x20 || !piece.valid) return expected("UTF-8 without control characters"), 0;
      if (c != '\\') at_ += piece.bytes;
      else if (!escape()) return 0;
    }
    if (at_ == text_.size()) return expected("a closing '\"'"), 0;
    return node(Kind::string, from, at_++);
  }
  bool escape() {
    ++at_;
    if (peek() != 'u') {
      if (std::string_view{"\"\\/bfnrt"}.find(peek()) == std::string_view::npos || at_ == text_.size())
        return expected("an escape: one of \"\\/bfnrtu");
      ++at_;
      return true;
    }
    ++at_;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (hex_digit(peek()) < 0) return expected("four hex digits");
    }
    return true;
  }
  std::uint32_t many(Kind kind, char close, std::size_t depth) {
    const std::uint32_t self = node(kind, at_, at_);
    std::uint32_t last = 0;
    const auto append = [&](std::uint32_t index) {
      (last == 0 ? tree_.nodes_[self].first : tree_.nodes_[last].next) = index;
      last = index;
    };
    ++at_;
    skip_space();
    for (bool more = peek() != close; more;) {
      if (kind == Kind::object) {
        if (peek() != '"') return expected(last == 0 ? "a name in quotes or '}'" : "a name in quotes"), 0;
        const std::uint32_t name = string();
        if (name == 0) return 0;
        append(name);
        skip_space();
        if (peek() != ':') return expected("':'"), 0;
        ++at_;
        skip_space();
      }
      const std::uint32_t held = value(depth + 1);
      if (held == 0) return 0;
      append(held);
      skip_space();
      more = peek() == ',';
      if (more) ++at_, skip_space();
    }
    if (peek() != close) return expected(close == '}' ? "',' or '}'" : "',' or ']'"), 0;
    ++at_;
    tree_.nodes_[self].size = static_cast<std::uint32_t>(at_ - tree_.nodes_[self].at);
    return self;
  }

  JsonTree& tree_;
  std::string_view text_;
  std::size_t at_ = 0;
  const char* fault_ = "";
  std::size_t fault_at_ = 0;
};

Result<JsonTree> JsonTree::parse(std::string_view text) {
  JsonTree tree;
  tree.text_ = text;
  JsonParser parser{tree};
  if (!parser.run()) return Error{ErrorCode::malformed, "this is no JSON"}.with(parser.fault());
  return tree;
}

std::size_t JsonTree::count(const Node& node) const noexcept {
  std::size_t count = 0;
  for (const Node* one = first(node); one; one = next(*one)) ++count;
  return count;
}

std::string JsonTree::text(const Node& node) const {
  std::string_view left = raw(node);
  std::string text;
  text.reserve(left.size());
  while (!left.empty()) {
    const std::size_t plain = std::min(left.find('\\'), left.size());
    text += left.substr(0, plain);
    left.remove_prefix(plain);
    if (left.empty()) break;
    const char what = left[1];
    left.remove_prefix(2);
    if (what != 'u') {
      text += what == 'b' ? '\b' : what == 'f' ? '\f' : what == 'n' ? '\n' : what == 'r' ? '\r' : what == 't' ? '\t' : what;
      continue;
    }
    std::uint32_t c = code_unit(left);
    left.remove_prefix(4);
    if (c >= 0xD800 && c < 0xDC00 && left.starts_with("\\u")) {
      const std::uint32_t low = code_unit(left.substr(2));
      if (low >= 0xDC00 && low < 0xE000) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        left.remove_prefix(6);
      }
    }
    append_utf8(text, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);  // half a pair is no character
  }
  return text;
}

std::string JsonTree::place(std::size_t at) const {
  const std::string_view before = text_.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(at - start + 1);
}

}  // namespace midplane::inline v0::schema
