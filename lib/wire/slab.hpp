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

#include "wire/payload_memory.hpp"

namespace midplane::inline v0::wire {

/// One thread at a time; its messages die on any.
class Slab {
 public:
  Slab() noexcept = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() { close(); }

  /// An envelope with one reference and `bytes` behind its header, out of the open block or a new one of `depot`. Null
  /// when a block of its own serves it better: it is large, `expected` bytes of messages are too few for a new slab, or
  /// too many slabs are out.
  Envelope* carve(Depot& depot, std::size_t bytes, std::size_t expected) noexcept;
  /// No more messages for now: what is left of the block is given up.
  void close() noexcept;

 private:
  Envelope* block_ = nullptr;
  std::uint32_t at_ = 0;      ///< bytes from the begin of the block to the next envelope
  std::uint32_t carved_ = 0;
};

}  // namespace midplane::inline v0::wire
