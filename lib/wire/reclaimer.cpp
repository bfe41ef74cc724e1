#include "wire/reclaimer.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "wire/return_address.hpp"

namespace midplane::inline v0 {

namespace wire {

void let_go(Envelope& envelope) noexcept {
  Extra* extra = envelope.extra;
  if (extra == nullptr) return;
  const bool is_own = owns_extra(envelope);
  envelope.extra = nullptr;
  if (!is_own) return;
  delete extra->headers;
  if (extra->release) extra->release();
  if (extra->return_address) extra->return_address->unref();
  if (extra->shares) detail::release(extra->shares);
  extra->~Extra();
}

/// Nobody else has it.
void Reclaimer::bury(Envelope* envelope) noexcept {
  if (envelope->extra) let_go(*envelope);
  if (envelope->size_class == uncached) return detail::recycle(envelope);
  if (envelope->size_class != carved) return add(envelope);
  Envelope* const slab = slab_of(envelope);
  if (slab != slab_) {
    settle();
    slab_ = slab;
  }
  ++slab_dead_;
}

/// One subtraction for all messages of a slab that died in a row.
void Reclaimer::settle() noexcept {
  Envelope* const slab = std::exchange(slab_, nullptr);
  if (!slab || !leave_slab(slab, std::exchange(slab_dead_, 0))) return;
  slab->size = 0;
  add(slab);
}

void Reclaimer::add(Envelope* envelope) noexcept {
  if (count_ != 0 && (envelope->home != dead_[0]->home || envelope->size_class != dead_[0]->size_class ||
                      count_ == bundled_max(envelope->size_class) + 1))
    send_home();
  dead_[count_++] = envelope;
  // Whoever asks one thing after the other would need a block for each that is still held here.
  if (envelope->kind == Kind::request) send_home();
}

void Reclaimer::flush() noexcept {
  settle();
  send_home();
}

void SharedReleases::give_back() noexcept {
  Reclaimer reclaimer;
  for (std::size_t word = 0; word < taken_.size(); ++word) {
    for (std::uint64_t taken = std::exchange(taken_[word], 0); taken != 0; taken &= taken - 1) {
      const std::uintptr_t place = places_[word * 64 + static_cast<std::size_t>(std::countr_zero(taken))];
      auto* const envelope = reinterpret_cast<Envelope*>(place & ~count_mask);
      if (drop(*envelope, static_cast<std::uint32_t>(place & count_mask))) reclaimer.bury(envelope);
    }
  }
}

void Reclaimer::send_home() noexcept {
  if (count_ == 0) return;
  Envelope* const bundle = dead_[--count_];
  std::copy_n(dead_.data(), count_, bundled(bundle));
  bundle->size = static_cast<std::uint32_t>(count_);
  count_ = 0;
  bundle->home->give_back(bundle);
}

}  // namespace wire

namespace detail {

void recycle(EnvelopeHead* head) noexcept {
  auto* envelope = static_cast<wire::Envelope*>(head);
  wire::let_go(*envelope);
  if (envelope->size_class == wire::carved) {
    envelope = wire::slab_of(envelope);
    if (!wire::leave_slab(envelope, 1)) return;
  }
  envelope->size = 0;
  envelope->home->give_back(envelope);
}

}  // namespace detail

}  // namespace midplane::inline v0
