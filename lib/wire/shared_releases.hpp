#pragma once
/// References to messages that went to several subscriptions, given back together by the thread that empties them. The last
/// one sees that no reference is left but those that are kept here, and no atomic subtraction is made.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// Stands on the stack of an executor while it runs what is ready, on its thread only. A handler that takes long holds up
/// what is kept, so only small messages are. Each message has one place, by its number: those of one sender lie side by
/// side. Whose place is taken by another sender's is counted at once.
class SharedReleases {
 public:
  /// Messages that are kept at most.
  static constexpr std::size_t capacity = 512;

  SharedReleases() noexcept : outer_{innermost_} { innermost_ = this; }
  SharedReleases(const SharedReleases&) = delete;
  ~SharedReleases() {
    give_back();
    innermost_ = outer_;
  }
  /// Of the calling thread; null when nobody keeps any.
  [[nodiscard]] static SharedReleases* here() noexcept { return innermost_; }

  /// No other work follows soon: what is kept goes home.
  void give_back() noexcept;
  /// Drops one of `references`, which are more than one. True when it was the last: the envelope is the caller's.
  bool release(Envelope& envelope, std::uint32_t references) noexcept {
    const std::size_t at = place_of(envelope);
    const auto address = reinterpret_cast<std::uintptr_t>(&envelope);
    std::uint64_t& taken = taken_[at / 64];
    const std::uint64_t bit = std::uint64_t{1} << (at % 64);
    std::uintptr_t& place = places_[at];
    if ((taken & bit) == 0) {
      taken |= bit;
      place = address | 1;
      return false;
    }
    if ((place & ~count_mask) != address) return drop(envelope, 1);
    const auto kept = static_cast<std::uint32_t>(++place & count_mask);
    if (kept != references && kept != count_mask) return false;
    taken &= ~bit;
    return kept == references || drop(envelope, kept);
  }

 private:
  /// An envelope begins at a line: the bits below have room for the count.
  static constexpr std::uintptr_t count_mask = alignof(Envelope) - 1;

  static std::size_t place_of(const Envelope& envelope) noexcept {
    return (envelope.sequence + (reinterpret_cast<std::uintptr_t>(envelope.home) >> 7) * 83) % capacity;
  }
  static bool drop(Envelope& envelope, std::uint32_t references) noexcept {
    return envelope.references.fetch_sub(references, std::memory_order_acq_rel) == references;
  }

  static inline constinit thread_local SharedReleases* innermost_ = nullptr;
  SharedReleases* const outer_;
  std::array<std::uint64_t, capacity / 64> taken_{};  ///< a bit for each place
  std::array<std::uintptr_t, capacity> places_;  // left uninitialised: an executor has many rounds without any
};

}  // namespace midplane::inline v0::wire
