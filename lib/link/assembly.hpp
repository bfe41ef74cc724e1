#pragma once
/// A record that arrives in pieces. One at a time per connection and direction.

#include <cstdint>
#include <cstring>

#include "base/defect.hpp"
#include "wire/envelope.hpp"
#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

namespace midplane::inline v0::link {

struct Assembly {
  Assembly() noexcept = default;
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;
  ~Assembly() { reset(); }

  void reset() noexcept {
    if (envelope) detail::release(envelope);
    envelope = nullptr;
    total = filled = 0;
    is_skipped = false;
  }
  /// The piece is the one that follows.
  [[nodiscard]] bool follows(const wire::Record& piece, const wire::FragmentBody& fragment) const noexcept {
    return total != 0 && fragment.total == total && fragment.offset == filled && piece.type == record.type &&
           piece.name == record.name && piece.number == record.number && piece.mark == record.mark &&
           (piece.payload.size() <= total - filled || base::defect(base::Defect::piece_too_long)) && !piece.payload.empty();
  }
  void append(std::span<const std::byte> piece) noexcept {
    if (envelope) std::memcpy(const_cast<std::byte*>(envelope->payload) + filled, piece.data(), piece.size());
    filled += piece.size();
  }
  [[nodiscard]] bool is_complete() const noexcept { return total != 0 && filled == total; }

  wire::Record record{};              ///< of the first piece, without its spans
  wire::Meta meta{};
  wire::Envelope* envelope = nullptr; ///< null when skipped: there was no memory for it
  std::uint64_t total = 0;            ///< 0: nothing is under way
  std::uint64_t filled = 0;
  bool is_skipped = false;
};

}  // namespace midplane::inline v0::link
