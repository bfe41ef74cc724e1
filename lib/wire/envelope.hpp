#pragma once
/// The sealed inside form of a message: one pooled block that holds this header, rare fields and the payload.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <midplane/bytes.hpp>
#include <midplane/extend/clock.hpp>
#include <midplane/headers.hpp>
#include <midplane/message.hpp>
#include <midplane/time.hpp>

namespace midplane::inline v0::wire {

class Depot;
class ReturnAddress;

struct Extra;

/// An interned name; lives as long as anything that can point to it.
struct Name {
  std::string text;
  std::uint32_t index = 0;
  std::shared_ptr<Extra> sent_by{};  ///< a peer's: the extra of all its messages that need no other
};

enum class Kind : std::uint8_t { message, request, reply, event };

/// Fields that most messages do not have. Lies between the header and the payload of its block, or is a Name's `sent_by`.
struct Extra {
  const Headers* headers = nullptr;         ///< owned
  const Name* peer = nullptr;               ///< who sent it; null: this bus
  Instant deadline = Instant::never();      ///< time to live of a message, deadline of a request
  ReturnAddress* return_address = nullptr;  ///< requests: where the reply goes; counted
  std::uint64_t correlation = 0;            ///< requests and replies: the id at the return address
  std::weak_ptr<void> server{};             ///< requests being served: the bus, for its clock and what callbacks throw
  detail::EnvelopeHead* shares = nullptr;   ///< the envelope whose payload this one forwards; counted
  Function<void()> release{};               ///< adopted memory: gives it back
  void* context = nullptr;                  ///< events: their body, owned through `release`
};

struct alignas(64) Envelope : detail::EnvelopeHead {
  union {
    const Name* name;  ///< in use: topic or service
    Envelope* next;    ///< at home or on the way there
  };
  Depot* home;
  std::uint64_t sequence;
  std::int64_t sent_at;
  Extra* extra;
  std::uint32_t capacity;  ///< bytes behind the header; of one in a Slab: bytes from the begin of its block
  std::uint8_t size_class;
  Kind kind;
  bool retained;  ///< came over a link marked so; near ones are marked per delivery
  bool unverified;  ///< published as raw bytes: a typed receiver verifies it

  [[nodiscard]] std::byte* block() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {payload, size}; }
};
static_assert(sizeof(Envelope) == 64, "one cache line: a consumer reads it once per message");

inline Envelope* envelope_of(const AnyMessage& message) noexcept {
  return static_cast<Envelope*>(message.envelope());
}

}  // namespace midplane::inline v0::wire
