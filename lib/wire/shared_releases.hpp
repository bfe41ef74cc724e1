#pragma once
/// References to messages that went to several subscriptions, given back together by the thread that empties them. One
/// subscription after the other comes past the same messages in the same order, so each is looked for where the one before
/// it stood. The last one sees that no reference is left but those that are kept here, and no atomic subtraction is made.

#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

/// Stands on the stack of an executor while it runs what is ready, on its thread only. A handler that takes long holds up
/// what is kept, so only small messages are.
class SharedReleases {
 public:
  /// Messages that are kept at most.
  static constexpr std::size_t capacity = 256;

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
  /// Another subscription's messages follow.
  void begin() noexcept { next_ = 0; }
  /// Drops one of `references`, which are more than one. True when it was the last: the envelope is the caller's.
  bool release(Envelope& envelope, std::uint32_t references) noexcept {
    for (; next_ < count_; ++next_) {
      Kept& kept = kept_[next_];
      if (kept.envelope != &envelope) continue;
      ++next_;
      if (++kept.references != references) return false;
      kept.envelope = nullptr;
      return true;
    }
    if (count_ == capacity) return envelope.references.fetch_sub(1, std::memory_order_acq_rel) == 1;
    kept_[count_++] = {&envelope, 1};
    next_ = count_;
    return false;
  }

 private:
  struct Kept {
    Envelope* envelope;  ///< null: it has gone home
    std::uint32_t references;
  };

  static inline constinit thread_local SharedReleases* innermost_ = nullptr;
  SharedReleases* const outer_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::array<Kept, capacity> kept_;  // left uninitialised: an executor has many rounds without any
};

}  // namespace midplane::inline v0::wire
