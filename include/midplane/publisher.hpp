#pragma once
/// Publishing: resolved once, then cheap. `publish` says what happened to the message at once; a lost message is
/// counted under a reason on the side that lost it.

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <midplane/awaitable.hpp>
#include <midplane/extend/codec.hpp>
#include <midplane/headers.hpp>
#include <midplane/message.hpp>
#include <midplane/names.hpp>
#include <midplane/required_parts.hpp>
#include <midplane/result.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How a Publisher publishes, for as long as it lives.
struct PublisherOptions {
  bool retain = false;      ///< the bus keeps the last message per topic for joiners while this Publisher lives
  bool one_thread = false;  ///< the caller serialises all calls: saves the flag (two atomic exchanges per message)
  bool stamp = false;       ///< every message carries the time of its publish (`Message::sent_at`)
  /// Far subscriptions that chose block or refuse are obeyed here too; false: they get what drop_newest leaves, which the
  /// log says once per topic (`topic.far_wait`; not of an AnyPublisher).
  bool far_wait = false;
};

/// What one message has of its own.
struct PublishOptions {
  const Headers* headers = nullptr;  ///< copied; at most 16 entries and 4 KiB
  Duration ttl{0};                   ///< older than this it is dropped as `expired`; 0: never; not negative
};

/// What happened to a message. `sinks == 0` is success: nobody listens.
struct Published {
  std::uint32_t sinks = 0;    ///< subscriptions it was offered to
  std::uint32_t queued = 0;   ///< of these: took it
  std::uint32_t dropped = 0;  ///< of these: lost it, each counted under its reason; not those that lost an older one for it
  bool would_deadlock = false;  ///< a `block` subscription could not be waited for on this thread: treated as drop_newest
};

namespace detail {

class PublisherCore;
/// Whoever sends payloads: owns pooled memory for them.
class Sender;

/// A payload on its way into an envelope.
class Draft final : public PayloadWriter {
 public:
  Draft(Sender& sender, bool with_extra) noexcept : sender_{sender}, with_extra_{with_extra} {}
  Draft(const Draft&) = delete;
  ~Draft() override {
    if (envelope_ || outgrown_) drop();
  }

  std::uint8_t* allocate(std::size_t bytes) override;
  void deallocate(std::uint8_t* block, std::size_t bytes) override;
  void seal(const std::uint8_t* first, std::size_t size) noexcept override {
    payload_ = reinterpret_cast<const std::byte*>(first);
    size_ = size;
  }
  /// The smallest block, whole.
  [[nodiscard]] std::size_t room() const noexcept override { return with_extra_ ? first_room_with_extra : first_room; }
  static constexpr std::size_t first_room = 192;
  static constexpr std::size_t first_room_with_extra = 704;

  /// `finish` answers an error.
  [[nodiscard]] bool has_failed() const noexcept { return fault_ != ErrorCode{}; }

  /// Copies bytes that are verified already.
  void copy(std::span<const std::byte> bytes) noexcept;
  void adopt(Owned owned) noexcept;
  void share(const AnyMessage& message) noexcept;

  /// The sealed envelope, whose one reference the caller then owns; null: `finish` says why there is none.
  EnvelopeHead* take_sound(std::size_t bytes_max) noexcept {
    if (fault_ != ErrorCode{} || !payload_ || !envelope_ || size_ > bytes_max) return nullptr;
    envelope_->payload = payload_;
    envelope_->size = static_cast<std::uint32_t>(size_);
    return std::exchange(envelope_, nullptr);
  }
  /// The same, or why there is none.
  Result<EnvelopeHead*> finish() noexcept;

 private:
  void drop() noexcept;
  std::uint8_t* take_room(std::size_t bytes) noexcept;
  std::uint8_t* allocate_in_vain(std::size_t bytes);

  Sender& sender_;
  EnvelopeHead* envelope_ = nullptr;
  EnvelopeHead* outgrown_ = nullptr;
  const std::byte* payload_ = nullptr;  ///< null: not sealed
  std::size_t size_ = 0;
  std::unique_ptr<std::uint8_t[]> spill_;  // after a fault the builder goes on in here
  std::unique_ptr<std::uint8_t[]> spilled_;
  bool with_extra_;
  ErrorCode fault_{};
};

[[nodiscard]] Sender& sender_of(PublisherCore& core) noexcept;
Result<Published> publish(PublisherCore& core, Draft& draft, const PublishOptions& options) noexcept;
/// For programs built with the headers of 0.1.0: what an AnyPublisher's topics say of `retain` was not looked at.
Result<Published> publish_to(PublisherCore& core, std::string_view topic, const TypeInfo& type, Draft& draft,
                             const PublishOptions& options) noexcept;
Result<Published> publish_to(PublisherCore& core, std::string_view topic, const TypeInfo& type, Draft& draft,
                             const PublishOptions& options, bool retain) noexcept;
Result<void> wait_matched(PublisherCore& core, unsigned n, Duration duration);
void when_matched(PublisherCore& core, unsigned n, Function<void(Result<void>)> fn);
[[nodiscard]] Error closed_handle() noexcept;
[[nodiscard]] Error malformed_bytes() noexcept;
[[nodiscard]] Error unset_field(std::string_view name);
inline bool needs_extra(const PublishOptions& options) noexcept { return options.headers || options.ttl.count() != 0; }

/// Adopted memory that no draft ever saw.
template <class V>
void give_back(V& value) {
  if constexpr (std::is_same_v<std::remove_cv_t<V>, Owned>) {
    if (value.release) value.release();
  }
}

template <class T, class V>
inline constexpr bool is_object_with_required_parts = false;
template <class T, class V>
  requires std::is_same_v<V, typename T::NativeTableType> && HasRequiredParts<T>
inline constexpr bool is_object_with_required_parts<T, V> = true;

template <class T>
inline constexpr bool is_span = false;
template <class V, std::size_t N>
inline constexpr bool is_span<std::span<V, N>> = true;
template <class T>
inline constexpr bool is_span<T&> = is_span<std::remove_cv_t<T>>;

/// What a payload is of its contract: the sentence about a wrong type names it.
enum class Role : unsigned char { message, request, reply };

/// Puts any form of payload into a draft; the error when bytes are no valid T.
template <class T, Role role = Role::message, class V>
Result<void> fill(Draft& draft, V&& value) {
  using Held = std::remove_cvref_t<V>;
  if constexpr (std::is_base_of_v<AnyMessage, Held>) {
    static_assert(std::is_same_v<Held, Message<T>> || std::is_same_v<T, Bytes>, "a message of another type");
    draft.share(value);
  } else if constexpr (std::is_same_v<Held, Owned>) {
    static_assert(!std::is_lvalue_reference_v<V>, "Owned is handed over: std::move it");
    const bool valid = Codec<T>::verify(value.bytes);
    draft.adopt(std::move(value));
    if (!valid) return malformed_bytes();
  } else if constexpr (std::is_convertible_v<V, std::span<const std::byte>>) {
    const std::span<const std::byte> bytes = value;
    if (!Codec<T>::verify(bytes)) return malformed_bytes();
    draft.copy(bytes);
  } else {
    constexpr bool fits = EncodableAs<V, T>;
    static_assert(fits || role != Role::message, "no value, builder, message or bytes of the topic's payload type (of a Result, what it holds: *result)");
    static_assert(fits || role != Role::request, "no value, builder, message or bytes of the service's request type (of a Result, what it holds: *result)");
    static_assert(fits || role != Role::reply, "no value, builder, message or bytes of the service's reply type (of a Result, what it holds: *result)");
    if constexpr (is_object_with_required_parts<T, Held>) {
      if (const std::string_view field = RequiredParts<T>::unset(value); !field.empty()) return unset_field(field);
    }
#ifdef __cpp_exceptions
    try {
      Codec<T>::encode(draft, std::forward<V>(value));
    } catch (const std::bad_alloc&) {
      if (!draft.has_failed()) throw;
    }
#else
    Codec<T>::encode(draft, std::forward<V>(value));
#endif
  }
  return ok();
}

}  // namespace detail

/// The way into one topic. Any thread; calls are serialised, so what is published on it first arrives first.
/// Move-only; may outlive its bus: then every call answers `closed`.
template <class T>
class Publisher {
 public:
  Publisher() noexcept = default;

  /// `value`: an object-API value, a callable `FlatBufferBuilder& -> Offset<T>` that builds in place, a received
  /// `Message<T>` (forwarded without a copy), bytes (verified), or `Owned` memory (verified, adopted).
  /// Errors: full (a subscription refuses; nothing was taken), malformed, too_large, no_memory, closed, denied.
  /// Blocks only when a subscription chose `block`; a handler that this thread runs meanwhile and that publishes here is
  /// told would_deadlock.
  template <class V>
  Result<Published> publish(V&& value, const PublishOptions& options = {}) {
    if (!core_) return detail::give_back(value), detail::closed_handle();
    using Held = std::remove_cvref_t<V>;
    detail::Draft draft{*sender_, detail::needs_extra(options) || std::is_base_of_v<AnyMessage, Held> ||
                                      std::is_same_v<Held, Owned>};
    if (auto filled = detail::fill<T>(draft, std::forward<V>(value)); !filled) return filled.error();
    return detail::publish(*core_, draft, options);
  }

  /// Publishes every value in order; stops at the first error, which tells how many went before.
  template <class V>
  Result<Published> publish_many(std::span<V> values, const PublishOptions& options = {}) {
    Published sum;
    for (auto& value : values) {
      auto published = publish(value, options);
      if (!published) return published;
      sum.sinks += published->sinks;
      sum.queued += published->queued;
      sum.dropped += published->dropped;
      sum.would_deadlock |= published->would_deadlock;
    }
    return sum;
  }

  /// The same for what lies in a row: a vector, an array.
  template <class Values>
    requires(!detail::is_span<Values>) && requires(Values& values) { std::span{std::data(values), std::size(values)}; }
  Result<Published> publish_many(Values&& values, const PublishOptions& options = {}) {
    return publish_many(std::span{std::data(values), std::size(values)}, options);
  }

  /// Waits until at least `n` subscriptions, near and far, are live. Not inside a handler that could only wait for
  /// itself: `would_deadlock`.
  Result<void> wait_matched(unsigned n, Duration duration) {
    return core_ ? detail::wait_matched(*core_, n, duration) : Result<void>{detail::closed_handle()};
  }
  /// The same as a callback on the bus's executor; `closed` when the bus closes first.
  void matched(unsigned n, Function<void(Result<void>)> fn) {
    if (core_) detail::when_matched(*core_, n, std::move(fn));
    else fn(detail::closed_handle());
  }
  /// The same for coroutines.
  Awaitable<Result<void>> matched(unsigned n) {
    return Awaitable<Result<void>>{[core = core_, n](Function<void(Result<void>)> done) mutable {
      if (core) detail::when_matched(*core, n, std::move(done));
      else done(detail::closed_handle());
    }};
  }

  /// Inside.
  explicit Publisher(std::shared_ptr<detail::PublisherCore> core) noexcept
      : core_{std::move(core)}, sender_{&detail::sender_of(*core_)} {}
  Publisher(Publisher&&) noexcept = default;
  Publisher& operator=(Publisher&&) noexcept = default;

 private:
  std::shared_ptr<detail::PublisherCore> core_;
  detail::Sender* sender_ = nullptr;  ///< a part of `core_`
};

/// Names the topic per call and keeps its order across topics. What is retained, where its options or the topic's schema say
/// so, is kept while it lives, for each topic. A name that is data becomes a topic by `Topic<T>::named`:
///
///     auto topic = Topic<Tick>::named(name);
///     if (topic) any.publish(*topic, tick);
class AnyPublisher {
 public:
  AnyPublisher() noexcept = default;

  /// As `Publisher::publish`, on this topic. Besides: schema_mismatch when the bus knows the name with another type.
  template <class T, class V>
  Result<Published> publish(const Topic<T>& topic, V&& value, const PublishOptions& options = {}) {
    if (!core_) return detail::give_back(value), detail::closed_handle();
    detail::Draft draft{detail::sender_of(*core_), true};
    if (auto filled = detail::fill<T>(draft, std::forward<V>(value)); !filled) return filled.error();
    return detail::publish_to(*core_, topic.name(), Codec<T>::info(), draft, options, topic.defaults().retain);
  }
  /// Not on a name alone, nor on a Result.
  template <detail::NoTopic W, class V>
  auto publish(const W&, V&&, const PublishOptions& = {}) {
    return Result<Published>{detail::want_topic<W>()};
  }

  /// Inside.
  explicit AnyPublisher(std::shared_ptr<detail::PublisherCore> core) noexcept : core_{std::move(core)} {}
  AnyPublisher(AnyPublisher&&) noexcept = default;
  AnyPublisher& operator=(AnyPublisher&&) noexcept = default;

 private:
  std::shared_ptr<detail::PublisherCore> core_;
};

}  // namespace v0
}  // namespace midplane
