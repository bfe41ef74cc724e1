#pragma once
/// The envelopes of many messages that come together, in one block and in the order of their addresses: the block is had
/// and given back once, and whoever writes or reads one message has the next one's lines on the way.
///
/// The block stays out until the last of its messages is dead: who keeps one of them keeps all its bytes. So the slabs that
/// are out together have a bound.
///
/// Memory orders: the count of the block begins so high that messages which die while it is being filled can not end
/// it; `close` takes off what was never handed out. Both subtract with acq_rel, so whoever brings it to zero sees that
/// all others are done.

#include <cstddef>
#include <cstdint>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// What a Slab takes, and the largest message that goes into one. All of them that are out take at most a quarter of
/// the memory.
inline constexpr std::size_t slab_bytes = 4096;
inline constexpr std::size_t slab_message_bytes_max = slab_bytes / 8 - sizeof(Envelope);

/// Rounded up to whole lines.
constexpr std::size_t in_lines(std::size_t bytes) noexcept { return (bytes + alignof(Envelope) - 1) / alignof(Envelope) * alignof(Envelope); }

/// The block of a message that was carved.
inline Envelope* slab_of(Envelope* part) noexcept {
  return reinterpret_cast<Envelope*>(reinterpret_cast<std::byte*>(part) - part->capacity);
}
/// `dead` more of its messages are; true when nobody needs the block any more.
bool leave_slab(Envelope* slab, std::uint32_t dead) noexcept;

/// One thread at a time; its messages die on any.
class Slab {
 public:
  Slab() noexcept = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() { close(); }

  /// An envelope with one reference and `bytes` behind its header, out of the open block or a new one of `depot`. Null
  /// when a block of its own serves it better: it is large, `expected` bytes of messages are too few for a new slab, or
  /// too many slabs are out. `alone`: as for `Depot::acquire`.
  Envelope* carve(Depot& depot, std::size_t bytes, std::size_t expected, bool alone = false) noexcept;
  /// Takes back the one that was carved last and that nobody else has seen, or sees any more. False: it was another.
  bool put_back(Envelope* envelope) noexcept;
  /// No more messages for now: what is left of the block is given up.
  void close() noexcept;

 private:
  friend class Depot;
  Envelope* carve_from_open(Depot& depot, std::uint32_t stride) noexcept;

  Envelope* block_ = nullptr;
  std::uint32_t last_ = 0;          ///< bytes from the begin of the block to the last envelope
  std::uint32_t at_ = slab_bytes;   ///< ... and to the next one; without a block there is no room
  std::uint32_t carved_ = 0;
};

}  // namespace midplane::inline v0::wire
