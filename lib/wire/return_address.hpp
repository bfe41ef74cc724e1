#pragma once
/// Where the answer to a request goes: the near correlator, or the link that brought the request.

#include <atomic>
#include <cstdint>

#include <midplane/result.hpp>

#include "wire/envelope.hpp"

namespace midplane::inline v0::wire {

enum class ItemSent : std::uint8_t { queued, no_credit, gone };

/// How a request ends that expects another kind of answer than its server gives.
[[nodiscard]] inline Error answers_many() noexcept {
  return {ErrorCode::unsupported, Fate::maybe_executed, "the server streams its replies; ask with open()"};
}
[[nodiscard]] inline Error answers_one() noexcept {
  return {ErrorCode::unsupported, Fate::failed, "the server gives one reply and streams none; ask with request()"};
}

/// Law: for each correlation at most one of `reply` and `fail` has an effect, the first; later ones are ignored.
/// `reply` and `item` take over one reference to the envelope. Any thread; never runs user code before returning
/// unless the caller's executor is inline.
class ReturnAddress {
 public:
  virtual void reply(std::uint64_t correlation, Envelope* reply) noexcept = 0;
  virtual void fail(std::uint64_t correlation, const Error& error) noexcept = 0;
  /// One item of a streamed reply; `reply(correlation, nullptr)` finishes the stream. Without credit the caller keeps
  /// its reference.
  virtual ItemSent item(std::uint64_t correlation, Envelope* item) noexcept = 0;
  /// Calls `ready` once, when an item may be sent again or the reader is gone.
  virtual void when_writable(std::uint64_t correlation, Function<void()> ready) noexcept = 0;
  /// True once the asker gave up: by cancel, by deadline, or because it is gone.
  [[nodiscard]] virtual bool cancelled(std::uint64_t correlation) const noexcept = 0;
  /// Calls `gave_up` once when that happens (at once when it has).
  virtual void when_cancelled(std::uint64_t correlation, Function<void()> gave_up) noexcept = 0;

  /// How many items of a stream may be sent before its reader has taken any; 0: one reply is expected.
  [[nodiscard]] virtual std::uint32_t stream_items(std::uint64_t) const noexcept { return 0; }
  /// Calls `taken` with their number so far whenever the reader has taken an item.
  virtual void when_taken(std::uint64_t, Function<void(std::uint64_t)>) noexcept {}

  void ref(std::uint32_t count = 1) noexcept { references_.fetch_add(count, std::memory_order_relaxed); }
  void unref(std::uint32_t count = 1) noexcept {
    if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) destroy();
  }

 protected:
  virtual ~ReturnAddress() = default;
  virtual void destroy() noexcept { delete this; }

 private:
  alignas(64) std::atomic<std::uint32_t> references_{1};  // whoever answers gives back here
};

}  // namespace midplane::inline v0::wire
