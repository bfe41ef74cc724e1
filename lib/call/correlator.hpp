#pragma once
/// The pending requests of one client by id, and their one deadline timer. Every request ends exactly once: by its
/// reply, by its deadline, by cancel, or because a peer or the bus went away; whoever settles its word first decides.

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <midplane/extend/clock.hpp>

#include "call/call.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::call {

inline constexpr std::uint32_t pending_max_limit = 65536;
inline constexpr std::size_t stream_items_max = 64;

/// Askers raise `sent`, those who answer the others: on lines apart.
struct CallCounters {
  alignas(64) std::atomic<std::uint64_t> sent{0};
  alignas(64) std::atomic<std::uint64_t> ok{0};
  std::atomic<std::uint64_t> failed{0};
};

class Correlator final : public wire::ReturnAddress, private TimerWork {
 public:
  Correlator(std::shared_ptr<Executor> executor, std::shared_ptr<Clock> clock, std::uint32_t pending_max,
             std::shared_ptr<CallCounters> counters, std::function<std::string()> why_nobody = {});

  /// A new call, held by the asker and by the request, with a reference to this for the request's return address; `busy`
  /// when `pending_max` are open.
  Result<Call*> open(Instant deadline, bool streaming) noexcept;
  [[nodiscard]] std::uint64_t id_of(const Call& call) const noexcept;

  // ReturnAddress
  void reply(std::uint64_t id, wire::Envelope* reply) noexcept override;
  void fail(std::uint64_t id, const Error& error) noexcept override;
  wire::ItemSent item(std::uint64_t id, wire::Envelope* item) noexcept override;
  void when_writable(std::uint64_t id, Function<void()> ready) noexcept override;
  [[nodiscard]] bool cancelled(std::uint64_t id) const noexcept override;
  void when_cancelled(std::uint64_t id, Function<void()> gave_up) noexcept override;
  [[nodiscard]] std::uint32_t stream_items(std::uint64_t id) const noexcept override;
  void when_taken(std::uint64_t id, Function<void(std::uint64_t)> taken) noexcept override;

  // The asker, with a call it holds.
  [[nodiscard]] bool settled(const Call& call) const noexcept;
  /// Sleeps until it is settled (streams: until something can be taken) or `until`; may return early.
  void sleep(Call& call, Instant until) noexcept;
  /// Takes the outcome of a settled call, which the asker holds no longer.
  Outcome finish(Call& call) noexcept;
  /// Calls `fn` on the executor once it is settled (streams: once something can be taken).
  void when_settled(Call& call, Function<void()> fn) noexcept;
  /// Streams: the next item; null when none waits.
  AnyMessage next_item(Call& call) noexcept;
  [[nodiscard]] bool has_item(Call& call) noexcept;
  /// The asker is done: an open request is cancelled, a continuation never runs.
  void drop(Call& call) noexcept;
  /// Calls `fn` with the error (null: none) when it is settled.
  void when_ended(Call& call, Function<void(const Error*)> fn) noexcept;
  void went_to(Call& call, std::shared_ptr<wire::Sink> far) noexcept;
  /// From now on a server may run it, or (false) nobody took it after all.
  void left(Call& call, bool left) noexcept;

  /// The asker is gone: gives back its own reference and those it had in advance.
  void retire() noexcept { unref(1 + references_ahead_); }
  /// Ends every open request with `closed`.
  void close() noexcept;
  [[nodiscard]] std::uint32_t pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  [[nodiscard]] Executor& executor() const noexcept { return *executor_; }
  [[nodiscard]] Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(); }

 private:
  friend class Call;
  static constexpr std::uint32_t chunk_calls = 64;
  struct Chunk;
  ~Correlator() override;

  Call* find(std::uint64_t id) const noexcept;
  Call* at(std::uint32_t index) const noexcept;
  bool begin_settling(Call& call, std::uint64_t id) noexcept;
  void settle(Call& call, Outcome outcome) noexcept;
  void wake(Call& call) noexcept;
  void unhold(Call& call) noexcept;
  /// Holds it for a run of its continuation; false when there is none to run or one is under way. Under `flag_`.
  bool prepare_run(Call& call) noexcept;
  void arm(Instant deadline) noexcept;
  [[nodiscard]] Error late(const Call& call) const noexcept;
  /// Ends it when its deadline has passed; when that is yet to come, returns it.
  Instant expire(Call& call, std::uint64_t id) noexcept;
  void fire() noexcept override;

  std::shared_ptr<Executor> executor_;
  std::shared_ptr<Clock> clock_;
  std::shared_ptr<CallCounters> counters_;
  std::function<std::string()> why_nobody_;
  const std::uint32_t pending_max_;
  const bool driven_;
  std::atomic<bool> closed_{false};
  std::atomic<std::uint32_t> pending_{0};  ///< written under `free_flag_`

  alignas(64) base::Flag free_flag_;
  std::uint32_t references_ahead_ = 0;  ///< taken many at once: the count is on a line of those who answer
  std::uint32_t first_free_;
  std::uint32_t made_ = 0;
  std::array<std::atomic<Chunk*>, pending_max_limit / chunk_calls> chunks_{};

  base::Flag timer_flag_;
  bool timer_started_ = false;
  std::atomic<std::int64_t> timer_due_{INT64_MAX};
};

}  // namespace midplane::inline v0::call
