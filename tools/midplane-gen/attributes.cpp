#include "attributes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <midplane/names.hpp>

#include "stop.hpp"

namespace midplane::gen {
namespace {

constexpr std::array<std::string_view, 5> overflows{"drop_newest", "drop_oldest", "latest", "refuse", "block"};
constexpr std::uint64_t queue_messages_max = 8'388'608;
constexpr std::uint64_t timeout_ms_max = 9'223'372'036'854;  // as many as fit a Duration in nanoseconds

std::string quoted(std::string_view text) { return '"' + std::string{text} + '"'; }

std::uint64_t number(std::string_view key, std::string_view value, std::uint64_t largest, const std::string& where) {
  std::uint64_t result = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (fault != std::errc{} || end != value.data() + value.size() || result == 0 || result > largest)
    stop(Exit::bad_input, where + ": " + std::string{key} + " is " + quoted(value) + "; write a whole number from 1 to " +
                              std::to_string(largest));
  return result;
}

/// flatc gives an attribute without a value the value 0.
bool flag(std::string_view key, std::string_view value, const std::string& where) {
  if (value.empty() || value == "0" || value == "1" || value == "true") return true;
  if (value == "false") return false;
  stop(Exit::bad_input, where + ": " + std::string{key} + " is " + quoted(value) + "; write just `" +
                            std::string{key} + "`, or leave it out");
}

void only_for(bool right, std::string_view key, const char* owner, const std::string& where) {
  if (!right)
    stop(Exit::bad_input, where + ": " + std::string{key} + " is for " + owner +
                              "; a method is a topic when its reply is midplane.Topic. Remove it or change the reply");
}

const char* words_for(detail::NameFault fault) {
  using detail::NameFault;
  switch (fault) {
    case NameFault::none: break;
    case NameFault::empty: return "is empty; write tokens joined by dots, like market.ticks";
    case NameFault::too_long: return "is too long; a name has at most 255 bytes";
    case NameFault::too_many_tokens: return "has too many tokens; a name has at most 16";
    case NameFault::empty_token: return "has an empty token; write one dot between tokens and none at the ends";
    case NameFault::bad_character: return "has a character that no name has; tokens are of A-Z a-z 0-9 _ - or a lone *";
    case NameFault::reserved: return "begins with _midplane, which the library keeps for itself; choose another";
    case NameFault::bad_wildcard: return "has a > inside; only * can be filled in, write one * for each token";
  }
  return "is malformed";
}

/// `{id}`, `<id>`, `$id` or `${id}`, as other tools write what is filled in.
bool is_hole(std::string_view token) noexcept {
  if (token.starts_with('$') && token.size() > 1) token.remove_prefix(1);
  else if (!token.starts_with('{') && !token.starts_with('<')) return false;
  if (token.starts_with('{') && token.ends_with('}')) token = token.substr(1, token.size() - 2);
  else if (token.starts_with('<') && token.ends_with('>')) token = token.substr(1, token.size() - 2);
  return token.find_first_of("{}<>$") == token.npos;
}

/// With a `*` for each token that is a hole; empty: that does not make a name of it.
std::string with_holes(std::string_view name) {
  std::string pattern;
  while (true) {
    const auto dot = name.find('.');
    const std::string_view token = name.substr(0, dot);
    pattern += is_hole(token) ? "*" : token;
    if (dot == name.npos) break;
    pattern += '.';
    name.remove_prefix(dot + 1);
  }
  return detail::check_name(pattern, true) == detail::NameFault::none ? pattern : std::string{};
}

std::string hint_for(std::string_view name) {
  if (name.find_first_of("{<$") == name.npos) return {};
  const std::string pattern = with_holes(name);
  if (pattern.empty()) return name.starts_with("_midplane.") ? std::string{} : "; write a `*` for each filled-in token, as in `van.*.position`";
  const bool many = std::count(pattern.begin(), pattern.end(), '*') > 1;
  return "; write `" + pattern + "`: the constant becomes a function that takes the " + (many ? "tokens" : "token");
}

}  // namespace

void read_attributes(Contract& contract, const reflection::RPCCall& call, const std::string& where) {
  if (call.attributes() == nullptr) return;
  for (const auto* pair : *call.attributes()) {
    const std::string_view key = view_of(pair->key());
    const std::string_view value = view_of(pair->value());
    if (key == "topic") {
      only_for(contract.is_topic, key, "topics", where);
      contract.name = value;
    } else if (key == "service") {
      only_for(!contract.is_topic, key, "services", where);
      contract.name = value;
    } else if (key == "overflow") {
      only_for(contract.is_topic, key, "topics", where);
      if (std::find(overflows.begin(), overflows.end(), value) == overflows.end())
        stop(Exit::bad_input, where + ": overflow is " + quoted(value) +
                                  "; write \"drop_newest\", \"drop_oldest\", \"latest\", \"refuse\" or \"block\"");
      contract.overflow = value;
    } else if (key == "queue") {
      contract.queue = number(key, value, queue_messages_max, where);
    } else if (key == "queue_bytes") {
      contract.queue_bytes = number(key, value, INT64_MAX, where);
    } else if (key == "retain") {
      only_for(contract.is_topic, key, "topics", where);
      contract.retain = flag(key, value, where);
    } else if (key == "idempotent") {
      only_for(!contract.is_topic, key, "services", where);
      contract.idempotent = flag(key, value, where);
    } else if (key == "timeout_ms") {
      only_for(!contract.is_topic, key, "services", where);
      contract.timeout_ms = number(key, value, timeout_ms_max, where);
    } else if (key == "streaming") {
      only_for(!contract.is_topic, key, "services", where);
      if (value != "server" && value != "none")
        stop(Exit::bad_input, where + ": streaming is " + quoted(value) + "; only replies stream: write \"server\"");
      contract.streaming = value == "server";
    }  // anything else is the business of another tool
  }
}

void check_name(Contract& contract, const std::string& where) {
  const auto fault = detail::check_name(contract.name, true);
  const bool tail = contract.name == ">" || contract.name.ends_with(".>");
  if (fault != detail::NameFault::none || tail)
    stop(Exit::bad_input, where + ": the name " + quoted(contract.name) + ' ' +
                              words_for(tail ? detail::NameFault::bad_wildcard : fault) + hint_for(contract.name));
  contract.holes = static_cast<std::size_t>(std::count(contract.name.begin(), contract.name.end(), '*'));
}

}  // namespace midplane::gen
