#pragma once
/// What an operation answers: a value, or an Error that says what happened, whether a request may have run,
/// and what to do. Nothing in Midplane throws; look at the result.
///
///     auto published = ticks.publish(tick);
///     if (!published) std::cerr << published.error().message() << '\n';

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Decides whether asking again is safe: `not_started` always is, `failed` ran and ended,
/// `maybe_executed` may have run.
enum class Fate : std::uint8_t { not_started, failed, maybe_executed };

/// Closed set. The order is part of wire version 1: append only.
enum class ErrorCode : std::uint8_t {
  // Ends of a request, each with its Fate.
  busy = 1,         ///< every server is at its bound; nothing ran
  no_server,        ///< nobody serves this name
  expired,          ///< the deadline had passed before the handler was entered
  denied,           ///< a policy or a right refused it
  schema_mismatch,  ///< the two sides' types do not agree; the detail names the field
  malformed,        ///< the bytes are no valid value of the type
  too_large,        ///< over a limit of size
  no_memory,        ///< the bus's payload memory is used up
  app_error,        ///< the handler answered fail(code, text)
  handler_failed,   ///< the handler threw
  abandoned,        ///< the handler dropped its Responder without an answer
  timed_out,        ///< no answer by the deadline
  cancelled,        ///< the caller cancelled
  peer_lost,        ///< the link to the server ended
  closed,           ///< the bus or the handle is closed
  // Answers to publish and to waiting calls.
  full,           ///< a subscription with `refuse` has no room; nothing was taken
  would_deadlock, ///< waiting here could only wait for this very thread
  no_credit,      ///< the reader of the stream has not made room yet
  // Refusals of what was asked for.
  invalid_name,      ///< not a valid topic, service or pattern
  invalid_option,    ///< an option is out of its range
  invalid_endpoint,  ///< not an address the transport understands
  invalid_schema,    ///< not a valid binary schema
  version_mismatch,  ///< header and library, or two peers, are of different versions
  duplicate,         ///< this pair of buses is linked already
  transport_failed,  ///< the operating system or the transport refused; the detail says what
  unsupported,       ///< this build or handle can not do that
};

/// The last of them, to check a number that is data.
inline constexpr ErrorCode last_error_code = ErrorCode::unsupported;

/// The stable name of a code, as printed in messages, documents and JSON.
[[nodiscard]] std::string_view name_of(ErrorCode code) noexcept;
/// `not_started`, as written above.
[[nodiscard]] std::string_view name_of(Fate fate) noexcept;

/// Code, fate and a static text; a detail only where the text alone can not say which name, field or number.
class Error {
 public:
  /// `text` lives as long as the program.
  Error(ErrorCode code, Fate fate, const char* text) noexcept : text_{text}, code_{code}, fate_{fate} {}
  /// With fate not_started.
  Error(ErrorCode code, const char* text) noexcept : Error{code, Fate::not_started, text} {}

  /// What happened.
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// Whether it may have run.
  [[nodiscard]] Fate fate() const noexcept { return fate_; }
  /// What happened, and what to do, in words that do not change.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// Which name, field, number or system error; empty when there is nothing to add.
  [[nodiscard]] std::string_view detail() const noexcept { return detail_ ? *detail_ : std::string_view{}; }
  /// The code a handler gave to `fail`; 0 unless the code is `app_error`.
  [[nodiscard]] std::int32_t app_code() const noexcept { return app_code_; }
  /// One line: `code: text (detail)`.
  [[nodiscard]] std::string message() const;

  /// The same error with a detail. Allocates; never fails (without memory the detail is left out).
  [[nodiscard]] Error with(std::string_view detail) const;
  /// The same error with a handler's own code.
  [[nodiscard]] Error with_app_code(std::int32_t app_code) const noexcept;
  /// The same error with another fate.
  [[nodiscard]] Error with_fate(Fate fate) const noexcept;

 private:
  const char* text_;
  std::shared_ptr<const std::string> detail_;
  std::int32_t app_code_ = 0;
  ErrorCode code_;
  Fate fate_;
};

/// A value or an Error, named like `std::expected`. Reading the wrong side is the caller's bug: `value()` of an
/// error ends the process with the error's message in debug and release builds alike.
template <class T>
class [[nodiscard("a Result says whether it worked")]] Result {
 public:
  using value_type = T;

  /// A success.
  Result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_{true} {
    ::new (&storage_.value) T(std::move(value));
  }
  /// A failure.
  Result(Error error) noexcept : has_value_{false} { ::new (&storage_.error) Error(std::move(error)); }

  Result(Result&& other) noexcept : has_value_{other.has_value_} { take(std::move(other)); }
  Result(const Result& other) requires std::is_copy_constructible_v<T> : has_value_{other.has_value_} {
    if (has_value_) ::new (&storage_.value) T(other.storage_.value);
    else ::new (&storage_.error) Error(other.storage_.error);
  }
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      destroy();
      has_value_ = other.has_value_;
      take(std::move(other));
    }
    return *this;
  }
  ~Result() { destroy(); }

  /// True: `value` may be read; false: `error`.
  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }

  /// The value; the process ends with the error's message when there is none.
  [[nodiscard]] T& value() & { return require(), storage_.value; }
  /// The value, to read.
  [[nodiscard]] const T& value() const& { return require(), storage_.value; }
  /// The value, to move out.
  [[nodiscard]] T&& value() && { return require(), std::move(storage_.value); }
  /// As `value`.
  [[nodiscard]] T& operator*() & { return value(); }
  /// As `value`.
  [[nodiscard]] const T& operator*() const& { return value(); }
  /// As `value`.
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  /// As `value`.
  [[nodiscard]] T* operator->() { return &value(); }
  /// As `value`.
  [[nodiscard]] const T* operator->() const { return &value(); }
  /// The value, or `other` where there is none.
  template <class U>
  [[nodiscard]] T value_or(U&& other) && {
    return has_value_ ? std::move(storage_.value) : static_cast<T>(std::forward<U>(other));
  }
  /// The error; read it only when there is one.
  [[nodiscard]] const Error& error() const& noexcept { return storage_.error; }
  /// The error, to move out.
  [[nodiscard]] Error&& error() && noexcept { return std::move(storage_.error); }

 private:
  void require() const;
  void take(Result&& other) noexcept {
    if (has_value_) ::new (&storage_.value) T(std::move(other.storage_.value));
    else ::new (&storage_.error) Error(std::move(other.storage_.error));
  }
  void destroy() noexcept {
    if (has_value_) storage_.value.~T();
    else storage_.error.~Error();
  }
  union Storage {
    Storage() noexcept {}
    ~Storage() {}
    T value;
    Error error;
  } storage_;
  bool has_value_;
};

/// Success without a value, or an Error. `ok()` makes the success.
template <>
class [[nodiscard("a Result says whether it worked")]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept : has_value_{true} {}
  /// A failure.
  Result(Error error) noexcept : has_value_{false} { ::new (&storage_.error) Error(std::move(error)); }

  Result(Result&& other) noexcept : has_value_{other.has_value_} {
    if (!has_value_) ::new (&storage_.error) Error(std::move(other.storage_.error));
  }
  Result(const Result& other) : has_value_{other.has_value_} {
    if (!has_value_) ::new (&storage_.error) Error(other.storage_.error);
  }
  Result& operator=(Result other) noexcept {
    if (!has_value_) storage_.error.~Error();
    has_value_ = other.has_value_;
    if (!has_value_) ::new (&storage_.error) Error(std::move(other.storage_.error));
    return *this;
  }
  ~Result() {
    if (!has_value_) storage_.error.~Error();
  }

  /// True: it worked; false: `error` may be read.
  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  /// Nothing; the process ends with the error's message when there is one.
  void value() const;
  /// The error; read it only when there is one.
  [[nodiscard]] const Error& error() const noexcept { return storage_.error; }

 private:
  // Not an Error beside the flag: success is on the path of every message and should cost one byte.
  union Storage {
    Storage() noexcept {}
    ~Storage() {}
    Error error;
  } storage_;
  bool has_value_;
};

/// The success of a Result<void>.
[[nodiscard]] inline Result<void> ok() noexcept { return {}; }

namespace detail {
/// Prints what was wrong and ends the process: only for a program that reads a value that is not there.
[[noreturn]] void bad_result_access(const Error& error) noexcept;
}  // namespace detail

template <class T>
void Result<T>::require() const {
  if (!has_value_) detail::bad_result_access(storage_.error);
}
inline void Result<void>::value() const {
  if (!has_value_) detail::bad_result_access(storage_.error);
}

}  // namespace v0
}  // namespace midplane
