#include <midplane/names.hpp>

#include <algorithm>

namespace midplane::inline v0 {

namespace detail {
namespace {

bool may_stand_in_pattern(char c) noexcept { return is_name_character(c) || c == '.' || c == '*' || c == '>'; }

}  // namespace

Error name_error(NameFault fault, std::string_view name) {
  const char* text = "not a valid name";
  switch (fault) {
    case NameFault::none: break;
    case NameFault::empty: text = "a name is 1 to 16 tokens joined by dots; this one is empty"; break;
    case NameFault::too_long: text = "a name has at most 255 bytes; shorten it"; break;
    case NameFault::too_many_tokens: text = "a name has at most 16 tokens; join some with '-'"; break;
    case NameFault::empty_token: text = "a name has no empty token: no dot first, last or twice in a row"; break;
    case NameFault::bad_character:
      text = std::all_of(name.begin(), name.end(), may_stand_in_pattern)
                 ? "wildcards stand in patterns only, each as a whole token: '*' for one token, '>' at the end for one or more"
                 : "a token is made of A-Z a-z 0-9 _ -; escape_token() makes any text one";
      break;
    case NameFault::reserved: text = "names below _midplane are the library's own; choose another first token"; break;
    case NameFault::bad_wildcard: text = "'>' stands for the rest of a name: it must be the last token"; break;
  }
  return Error{ErrorCode::invalid_name, text}.with(shown_name(name));
}

std::string shown_name(std::string_view text, std::size_t bytes_max) {
  std::string shown;
  for (const char c : text.substr(0, bytes_max)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return shown;
}

}  // namespace detail

bool matches(std::string_view pattern, std::string_view name) noexcept {
  while (true) {
    const std::size_t pattern_end = pattern.find('.');
    const std::size_t name_end = name.find('.');
    const std::string_view wanted = pattern.substr(0, pattern_end);
    if (wanted == ">") return true;
    if (wanted != "*" && wanted != name.substr(0, name_end)) return false;
    if (pattern_end == std::string_view::npos || name_end == std::string_view::npos)
      return pattern_end == name_end;
    pattern.remove_prefix(pattern_end + 1);
    name.remove_prefix(name_end + 1);
  }
}

std::string escape_token(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  if (text.empty()) return "_";
  std::string token;
  for (const char c : text) {
    if (detail::is_name_character(c)) {
      token.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      token.append({'_', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return token;
}

}  // namespace midplane::inline v0
