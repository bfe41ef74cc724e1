#pragma once
/// How envelopes die, and how those that die together go home together.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "wire/payload_memory.hpp"
#include "wire/shared_releases.hpp"

namespace midplane::inline v0::wire {

/// An extra of its own, and not one that says only who sent it.
inline bool owns_extra(Envelope& envelope) noexcept { return static_cast<void*>(envelope.extra) == envelope.block(); }

/// Ends what a dead envelope still holds of others.
void let_go(Envelope& envelope) noexcept;

/// Collects dead envelopes of a burst and sends them home in bundles.
class Reclaimer {
 public:
  /// It keeps no more than this many before it sends them.
  static constexpr std::size_t capacity = bundled_max(1) + 1;

  /// `shared`: keeps the references of messages that others have too; null: nobody does.
  explicit Reclaimer(SharedReleases* shared = nullptr) noexcept : shared_{shared} {}
  Reclaimer(const Reclaimer&) = delete;
  ~Reclaimer() { flush(); }
  /// Drops one reference; the last one takes the envelope along.
  void release(Envelope* envelope) noexcept {
    if (const std::uint32_t references = envelope->references.load(std::memory_order_acquire); references != 1) {
      if (shared_ && may_be_kept(*envelope) ? !shared_->release(*envelope, references)
                                            : envelope->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    }
    bury(envelope);
  }
  void flush() noexcept;

 private:
  friend class SharedReleases;
  /// Small, and holding nothing of others.
  static bool may_be_kept(Envelope& envelope) noexcept {
    return (envelope.size_class <= 1 || envelope.size_class == carved) && !owns_extra(envelope) && envelope.home->may_wait_for();
  }
  void bury(Envelope* envelope) noexcept;
  void add(Envelope* dead) noexcept;
  void settle() noexcept;
  void send_home() noexcept;

  std::array<Envelope*, capacity> dead_;  // left uninitialised: this stands on the path of every burst
  std::size_t count_ = 0;
  SharedReleases* const shared_;
  Envelope* slab_ = nullptr;      ///< of the last dead messages
  std::uint32_t slab_dead_ = 0;   ///< of its messages, not counted yet
};

}  // namespace midplane::inline v0::wire
