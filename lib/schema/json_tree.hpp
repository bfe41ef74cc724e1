#pragma once
/// JSON as RFC 8259 has it, read once into small nodes; whatever is wrong is named with its line and column.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/result.hpp>

namespace midplane::inline v0::schema {

/// Values inside values; a payload nests no deeper than `table_depth_max`, and each table may stand in a vector.
inline constexpr std::size_t json_depth_max = 160;

class JsonTree {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  /// 20 bytes, so that a text of many small numbers does not take much more than its own length.
  struct Node {
    Kind kind;
    std::uint32_t at;    ///< in the text; a string's begins behind its quote
    std::uint32_t size;
    std::uint32_t first; ///< of what it holds; 0: nothing. An object holds a string and a value, in turn
    std::uint32_t next;  ///< beside it; 0: none
  };

  /// The text outlives the tree. `malformed`: the detail says where and what was expected.
  [[nodiscard]] static Result<JsonTree> parse(std::string_view text);

  [[nodiscard]] const Node& root() const noexcept { return nodes_[1]; }
  [[nodiscard]] const Node* first(const Node& node) const noexcept { return at(node.first); }
  [[nodiscard]] const Node* next(const Node& node) const noexcept { return at(node.next); }
  [[nodiscard]] std::size_t count(const Node& node) const noexcept;
  /// As it stands there; a string without its quotes, escapes and all.
  [[nodiscard]] std::string_view raw(const Node& node) const noexcept { return text_.substr(node.at, node.size); }
  /// A string with its escapes read.
  [[nodiscard]] std::string text(const Node& node) const;
  /// `line 1, column 12`.
  [[nodiscard]] std::string place(const Node& node) const {
    return place(node.kind == Kind::string ? node.at - std::size_t{1} : node.at);
  }

 private:
  friend class JsonParser;
  [[nodiscard]] const Node* at(std::uint32_t index) const noexcept { return index == 0 ? nullptr : &nodes_[index]; }
  [[nodiscard]] std::string place(std::size_t at) const;

  std::string_view text_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace midplane::inline v0::schema
