#pragma once
/// Pooled counted envelopes for the candidates that hand over pointers. One sender takes; receivers give back
/// in chains.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "harness/payload.hpp"

namespace midplane::bench {

class EnvelopePool;

/// One line of header and one of payload, as the product has it.
struct alignas(64) Envelope {
  std::atomic<std::uint32_t> references{0};
  Envelope* next = nullptr;
  EnvelopePool* home = nullptr;
  alignas(64) Payload payload;
};

class EnvelopePool {
 public:
  explicit EnvelopePool(std::uint64_t envelopes) : all_{new Envelope[envelopes]} {
    for (std::uint64_t at = 0; at < envelopes; ++at) {
      all_[at].home = this;
      all_[at].next = free_;
      free_ = &all_[at];
    }
  }

  /// The sender; null when every envelope is under way.
  Envelope* take(std::uint32_t references) noexcept {
    if (free_ == nullptr) free_ = returned_.exchange(nullptr, std::memory_order_acquire);
    Envelope* const taken = free_;
    if (taken == nullptr) return nullptr;
    free_ = taken->next;
    taken->references.store(references, std::memory_order_relaxed);
    return taken;
  }
  /// A receiver.
  void give_back(Envelope* first, Envelope* last) noexcept {
    last->next = returned_.load(std::memory_order_relaxed);
    while (!returned_.compare_exchange_weak(last->next, first, std::memory_order_release,
                                            std::memory_order_relaxed)) {
    }
  }

 private:
  std::unique_ptr<Envelope[]> all_;
  alignas(128) Envelope* free_ = nullptr;
  alignas(128) std::atomic<Envelope*> returned_{nullptr};
};

/// What a receiver collects before it gives back.
class Chain {
 public:
  ~Chain() { flush(); }
  void release(Envelope* envelope) noexcept {
    if (envelope->references.load(std::memory_order_acquire) != 1 &&
        envelope->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return;
    if (first_ != nullptr && (first_->home != envelope->home || length_ == length_max)) flush();
    if (first_ == nullptr) last_ = envelope;
    envelope->next = first_;
    first_ = envelope;
    ++length_;
  }
  void flush() noexcept {
    if (first_ != nullptr) first_->home->give_back(first_, last_);
    first_ = last_ = nullptr;
    length_ = 0;
  }

 private:
  static constexpr unsigned length_max = 64;
  Envelope* first_ = nullptr;
  Envelope* last_ = nullptr;
  unsigned length_ = 0;
};

}  // namespace midplane::bench
