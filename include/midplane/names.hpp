#pragma once
/// Contracts: a dotted name plus payload types. A malformed literal does not compile; names that are data are checked
/// by `named` and `parse`.
///
///     inline constexpr Topic<Tick> ticks{"market.ticks"};
///     inline constexpr Service<Ask, Quote> quote{"market.quote"};
///     auto all = Pattern<Tick>::parse("market.*.ticks");   // `*` one token, `>` one or more last tokens

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include <midplane/bytes.hpp>
#include <midplane/options.hpp>
#include <midplane/result.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

template <class T>
class Topic;
template <class Q, class R>
class Service;
template <class T>
class Pattern;

/// Of a topic, service or pattern.
inline constexpr std::size_t name_bytes_max = 255;
/// Of a topic, service or pattern.
inline constexpr std::size_t name_tokens_max = 16;

namespace detail {

enum class NameFault : unsigned char { none, empty, too_long, too_many_tokens, empty_token, bad_character, reserved, bad_wildcard };

constexpr bool is_name_character(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// Tokens of `[A-Za-z0-9_-]+` joined by dots; with `wildcards` a whole token may be `*`, the last one `>`.
constexpr NameFault check_name(std::string_view name, bool wildcards) noexcept {
  if (name.empty()) return NameFault::empty;
  if (name.size() > name_bytes_max) return NameFault::too_long;
  std::size_t tokens = 0;
  std::size_t begin = 0;
  while (true) {
    std::size_t end = begin;
    while (end < name.size() && name[end] != '.') ++end;
    const std::string_view token = name.substr(begin, end - begin);
    if (token.empty()) return NameFault::empty_token;
    if (++tokens > name_tokens_max) return NameFault::too_many_tokens;
    const bool last = end == name.size();
    if (wildcards && token == ">" && !last) return NameFault::bad_wildcard;
    if (!(wildcards && (token == "*" || token == ">"))) {
      for (const char c : token) {
        if (!is_name_character(c)) return NameFault::bad_character;
      }
    }
    if (tokens == 1 && token == "_midplane") return NameFault::reserved;
    if (last) return NameFault::none;
    begin = end + 1;
  }
}

/// The typed refusal for a fault; says what a name may be.
[[nodiscard]] Error name_error(NameFault fault, std::string_view name);
/// The first of it, for people: what is not printable is shown as '?'.
[[nodiscard]] std::string shown_name(std::string_view text, std::size_t bytes_max = 64);

/// Not constexpr on purpose: reaching it makes a bad literal fail to compile, with this name in the message.
void this_name_is_malformed();

/// A name that check_name accepted. Explicit, so that a literal is never one.
struct CheckedName {
  explicit CheckedName(std::string_view checked) : text{checked} {}
  std::string_view text;
};

/// The literal of a contract, checked while compiling.
struct NameLiteral {
  consteval NameLiteral(const char* literal) : text{literal} {
    if (check_name(text, false) != NameFault::none) this_name_is_malformed();
  }
  std::string_view text;
};

template <class W>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;
template <class W>
inline constexpr bool makes_result = false;
template <class R, class... A>
inline constexpr bool makes_result<R(A...)> = is_result<R>;
template <class W>
inline constexpr bool is_text = std::is_convertible_v<const W&, std::string_view>;

template <class W>
inline constexpr bool is_topic = false;
template <class T>
inline constexpr bool is_topic<Topic<T>> = true;
template <class W>
inline constexpr bool is_service = false;
template <class Q, class R>
inline constexpr bool is_service<Service<Q, R>> = true;
template <class W>
inline constexpr bool is_pattern = false;
template <class T>
inline constexpr bool is_pattern<Pattern<T>> = true;

/// What is handed over where a contract is wanted, and is answered with a sentence.
template <class W>
concept NoContract = is_result<W> || makes_result<W> || is_text<W>;
/// The same, with contracts of another kind.
template <class W>
concept NoTopic = NoContract<W> || is_service<W> || is_pattern<W>;
template <class W>
concept NoTopics = NoContract<W> || is_service<W>;
template <class W>
concept NoService = NoContract<W> || is_topic<W> || is_pattern<W>;

// Their return type is deduced, so that a compiler says this sentence first, and it alone.

/// Does not compile: a Topic is wanted.
template <class W>
constexpr auto want_topic() {
  static_assert(!is_result<W>, "this is a Result: hand over what it holds, *topic");
  static_assert(!makes_result<W>, "this function makes a topic: call it with its tokens and hand over what it holds, *name_of_topic(token)");
  static_assert(!is_text<W>, "a name alone has no type: hand over a Topic<T>; for a name that is data, *Topic<T>::named(name)");
  static_assert(!is_service<W>, "this is a Service, which is asked: bus.client(service); what is published has a Topic");
  static_assert(!is_pattern<W>, "this is a Pattern, which is subscribed to: what is published has one Topic");
  return Error{ErrorCode::invalid_name, "no topic"};
}
/// Does not compile: a Topic or a Pattern is wanted.
template <class W>
constexpr auto want_topics() {
  static_assert(!is_result<W>, "this is a Result: hand over what it holds, *topic or *pattern");
  static_assert(!makes_result<W>, "this function makes one topic: call it, *name_of_topic(token), or take all with its twin, *name_of_topic_pattern()");
  static_assert(!is_text<W>, "a name alone has no type: hand over a Topic<T>; for a name that is data *Topic<T>::named(name), for a pattern *Pattern<T>::parse(text)");
  static_assert(!is_service<W>, "this is a Service, which is asked or served: bus.client(service), bus.serve(service, handler); what is subscribed to has a Topic");
  return Error{ErrorCode::invalid_name, "no topic"};
}
/// Does not compile: a Service is wanted.
template <class W>
constexpr auto want_service() {
  static_assert(!is_result<W>, "this is a Result: hand over what it holds, *service");
  static_assert(!makes_result<W>, "this function makes a service: call it with its tokens and hand over what it holds, *name_of_service(token)");
  static_assert(!is_text<W>, "a name alone has no types: hand over a Service<Q, R>; for a name that is data, *Service<Q, R>::named(name)");
  static_assert(!is_topic<W>, "this is a Topic, which is published on: bus.publisher(topic), bus.subscribe(topic, handler); what is asked has a Service");
  static_assert(!is_pattern<W>, "this is a Pattern, which is subscribed to: what is asked has a Service");
  return Error{ErrorCode::invalid_name, "no service"};
}

/// A string that is no literal.
template <class N>
concept NameThatIsData = std::is_same_v<N, std::string> || std::is_same_v<N, std::string_view>;

/// `ReadingT`, the object API's value of the table `Reading`.
template <class T>
concept NativeTable = requires { typename T::TableType; };

}  // namespace detail

/// A name under which values of T are published.
template <class T>
class Topic {
  static_assert(!detail::NativeTable<T>, "a topic's type is the table, not the object API's value: Topic<Reading>, not Topic<ReadingT>");
 public:
  /// A literal; a malformed one does not compile. For a name that is data: `named`.
  constexpr explicit Topic(detail::NameLiteral literal, TopicDefaults defaults = {})
      : defaults_{defaults}, size_{static_cast<unsigned char>(literal.text.size())} {
    literal.text.copy(text_.data(), name_bytes_max);
  }
  /// Not of a name that is data.
  template <detail::NameThatIsData N>
  explicit Topic(const N&, TopicDefaults = {}) {
    static_assert(!detail::NameThatIsData<N>, "a name that is data may be malformed: Topic<T>::named(name) checks it");
  }
  /// A name that is data. Errors: invalid_name.
  [[nodiscard]] static Result<Topic> named(std::string_view name, TopicDefaults defaults = {}) {
    if (auto fault = detail::check_name(name, false); fault != detail::NameFault::none)
      return detail::name_error(fault, name);
    return Topic{detail::CheckedName{name}, defaults};
  }
  /// The name; lives as long as the topic.
  [[nodiscard]] constexpr std::string_view name() const noexcept { return {text_.data(), size_}; }
  /// What `subscribe` and `publisher` use where their options do not say otherwise.
  [[nodiscard]] constexpr const TopicDefaults& defaults() const noexcept { return defaults_; }

 private:
  Topic(detail::CheckedName checked, TopicDefaults defaults)
      : defaults_{defaults}, size_{static_cast<unsigned char>(checked.text.size())} {
    checked.text.copy(text_.data(), checked.text.size());
  }
  TopicDefaults defaults_{};
  unsigned char size_ = 0;
  std::array<char, name_bytes_max> text_{};
};

/// One method: a question of type Q is answered with an R, or with a stream of R.
template <class Q, class R>
class Service {
  static_assert(!detail::NativeTable<Q> && !detail::NativeTable<R>,
                "a service's types are the tables, not the object API's values: Service<Ask, Quote>, not Service<AskT, QuoteT>");
 public:
  /// A literal; a malformed one does not compile. For a name that is data: `named`.
  constexpr explicit Service(detail::NameLiteral literal, ServiceDefaults defaults = {})
      : defaults_{defaults}, size_{static_cast<unsigned char>(literal.text.size())} {
    literal.text.copy(text_.data(), name_bytes_max);
  }
  /// Not of a name that is data.
  template <detail::NameThatIsData N>
  explicit Service(const N&, ServiceDefaults = {}) {
    static_assert(!detail::NameThatIsData<N>, "a name that is data may be malformed: Service<Q, R>::named(name) checks it");
  }
  /// A name that is data. Errors: invalid_name.
  [[nodiscard]] static Result<Service> named(std::string_view name, ServiceDefaults defaults = {}) {
    if (auto fault = detail::check_name(name, false); fault != detail::NameFault::none)
      return detail::name_error(fault, name);
    return Service{detail::CheckedName{name}, defaults};
  }
  /// The name; lives as long as the service.
  [[nodiscard]] constexpr std::string_view name() const noexcept { return {text_.data(), size_}; }
  /// What `client` and `serve` use where their options do not say otherwise.
  [[nodiscard]] constexpr const ServiceDefaults& defaults() const noexcept { return defaults_; }

 private:
  Service(detail::CheckedName checked, ServiceDefaults defaults)
      : defaults_{defaults}, size_{static_cast<unsigned char>(checked.text.size())} {
    checked.text.copy(text_.data(), checked.text.size());
  }
  ServiceDefaults defaults_{};
  unsigned char size_ = 0;
  std::array<char, name_bytes_max> text_{};
};

/// Many topics at once. `Pattern<Bytes>` takes any type; a typed one takes only topics whose type agrees and counts
/// the rest as schema_mismatch.
template <class T>
class Pattern {
  static_assert(!detail::NativeTable<T>, "a pattern's type is the table, not the object API's value: Pattern<Reading>, not Pattern<ReadingT>");
 public:
  /// Errors: invalid_name.
  [[nodiscard]] static Result<Pattern> parse(std::string_view text, TopicDefaults defaults = {}) {
    if (auto fault = detail::check_name(text, true); fault != detail::NameFault::none)
      return detail::name_error(fault, text);
    return Pattern{text, defaults};
  }
  /// As it was parsed; lives as long as the pattern.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// What `subscribe` uses where its options do not say otherwise.
  [[nodiscard]] const TopicDefaults& defaults() const noexcept { return defaults_; }

 private:
  Pattern(std::string_view checked, TopicDefaults defaults) : text_{checked}, defaults_{defaults} {}
  std::string text_;
  TopicDefaults defaults_;
};

/// True when `name` (a topic) is one of those that `pattern` stands for. Both must be valid.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name) noexcept;

/// Any text as one token: letters, digits, `_` and `-` stay, every other byte becomes `_xx` (hex); an empty text `_`.
/// Different texts may only give the same token when one of them contains such an escape already.
[[nodiscard]] std::string escape_token(std::string_view text);

}  // namespace v0
}  // namespace midplane
