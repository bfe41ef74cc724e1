#include "words.hpp"

#include <algorithm>
#include <array>

namespace midplane::gen {
namespace {

constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::string_view, 97> keywords{
    "alignas", "alignof", "and", "and_eq", "asm", "atomic_cancel", "atomic_commit", "atomic_noexcept", "auto",
    "bitand", "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await",
    "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
    "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export",
    "extern", "false", "float", "for", "friend", "goto", "if", "import", "inline", "int", "long", "module", "mutable",
    "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected",
    "public", "register", "reinterpret_cast", "requires", "return", "short", "signed", "sizeof", "static",
    "static_assert", "static_cast", "struct", "switch", "synchronized", "template", "this", "thread_local", "throw",
    "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile",
    "wchar_t", "while", "xor"};

}  // namespace

std::string snake_case(std::string_view name) {
  std::string snake;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (is_upper(c) && i > 0 && name[i - 1] != '_') {
      const bool word_begins = is_lower(name[i - 1]) || is_digit(name[i - 1]);
      const bool acronym_ends = is_upper(name[i - 1]) && i + 1 < name.size() && is_lower(name[i + 1]);
      if (word_begins || acronym_ends) snake += '_';
    }
    snake += is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return snake;
}

std::string identifier(std::string name) {
  if (name == "xor_eq" || std::find(keywords.begin(), keywords.end(), name) != keywords.end()) name += '_';
  return name;
}

std::string cpp_name(std::string_view full_name) {
  std::string cpp;
  while (true) {
    const auto dot = full_name.find('.');
    cpp += identifier(std::string{full_name.substr(0, dot)});
    if (dot == std::string_view::npos) return cpp;
    cpp += "::";
    full_name.remove_prefix(dot + 1);
  }
}

std::string_view scope_of(std::string_view full_name) {
  const auto dot = full_name.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : full_name.substr(0, dot);
}

std::string_view leaf_of(std::string_view full_name) {
  const auto dot = full_name.rfind('.');
  return dot == std::string_view::npos ? full_name : full_name.substr(dot + 1);
}

}  // namespace midplane::gen
