#pragma once
/// A received message: verified, immutable, reference counted. Copying counts a reference, never bytes. It may be kept
/// beyond its handler and outlive its subscription and its bus; what is kept counts against the payload memory.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <midplane/extend/codec.hpp>
#include <midplane/headers.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

namespace detail {

/// The part of the sealed form that a view needs; the rest stays inside.
struct EnvelopeHead {
  std::atomic<std::uint32_t> references;
  std::uint32_t size;
  const std::byte* payload;
};
void recycle(EnvelopeHead* envelope) noexcept;

inline void acquire(EnvelopeHead* envelope) noexcept { envelope->references.fetch_add(1, std::memory_order_relaxed); }
inline void release(EnvelopeHead* envelope) noexcept {
  // A sole owner needs no read-modify-write: nobody else can change the count.
  if (envelope->references.load(std::memory_order_acquire) == 1 ||
      envelope->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    recycle(envelope);
}

}  // namespace detail

/// A message of any type. Empty after it was moved from; reading an empty one gives empty answers.
class AnyMessage {
 public:
  AnyMessage() noexcept = default;
  AnyMessage(const AnyMessage& other) noexcept : envelope_{other.envelope_}, retained_{other.retained_} {
    if (envelope_) detail::acquire(envelope_);
  }
  AnyMessage(AnyMessage&& other) noexcept
      : envelope_{std::exchange(other.envelope_, nullptr)}, retained_{other.retained_} {}
  AnyMessage& operator=(AnyMessage other) noexcept {
    std::swap(envelope_, other.envelope_);
    std::swap(retained_, other.retained_);
    return *this;
  }
  ~AnyMessage() {
    if (envelope_) detail::release(envelope_);
  }

  explicit operator bool() const noexcept { return envelope_ != nullptr; }
  /// The payload; valid while any copy of the message is.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return envelope_ ? std::span{envelope_->payload, envelope_->size} : std::span<const std::byte>{};
  }
  /// The name it was published or asked under.
  [[nodiscard]] std::string_view topic() const noexcept;
  /// Null when the message carries none.
  [[nodiscard]] const Headers* headers() const noexcept;
  /// The bus that published it; empty: this one.
  [[nodiscard]] std::string_view peer() const noexcept;
  /// Counts from 1 per Publisher (near) or per link and topic (far). 0: retained, from before the numbering.
  [[nodiscard]] std::uint64_t sequence() const noexcept;
  /// It was published before the subscription joined.
  [[nodiscard]] bool retained() const noexcept { return retained_; }
  /// When `publish` was called, in nanoseconds of the sender's system clock; 0 unless its Publisher stamps.
  [[nodiscard]] std::int64_t sent_at() const noexcept;

  /// Inside: takes over one reference.
  static AnyMessage adopt(detail::EnvelopeHead* envelope, bool retained) noexcept {
    AnyMessage message;
    message.envelope_ = envelope;
    message.retained_ = retained;
    return message;
  }
  /// Inside.
  detail::EnvelopeHead* disown() noexcept { return std::exchange(envelope_, nullptr); }
  /// Inside.
  [[nodiscard]] detail::EnvelopeHead* envelope() const noexcept { return envelope_; }

 private:
  detail::EnvelopeHead* envelope_ = nullptr;
  bool retained_ = false;
};

/// A message whose payload is a T, read in place.
template <class T>
class Message : public AnyMessage {
 public:
  /// What it is read through: for tables `const T*`.
  using View = typename Codec<T>::View;

  Message() noexcept = default;
  /// Of a message whose payload is a T: the library's to make.
  explicit Message(AnyMessage message) noexcept : AnyMessage{std::move(message)} {}

  /// The payload, read in place; not of an empty message.
  [[nodiscard]] View operator->() const noexcept { return Codec<T>::view(bytes()); }
  /// As `operator->`.
  [[nodiscard]] decltype(auto) operator*() const noexcept { return *Codec<T>::view(bytes()); }
};

/// A message whose payload is read as bytes; see AnyMessage.
template <>
class Message<Bytes> : public AnyMessage {
 public:
  Message() noexcept = default;
  /// Any message may be read as bytes.
  explicit Message(AnyMessage message) noexcept : AnyMessage{std::move(message)} {}
};

}  // namespace v0
}  // namespace midplane
