#pragma once
/// One request that waits for its end: a slot of a Correlator, used again and again.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <midplane/extend/executor.hpp>
#include <midplane/function.hpp>
#include <midplane/message.hpp>
#include <midplane/result.hpp>

#include "base/flag.hpp"
#include "base/parking.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::call {

class Correlator;

/// `open`: no outcome yet. `settled`: exactly one outcome is in the slot.
enum class Phase : std::uint32_t { free, open, settling, settled };

/// What ended a request: a reply, or an error.
struct Outcome {
  AnyMessage reply;
  std::optional<Error> error;
};

/// Items of a streamed reply between the server's side and the reader.
struct StreamQueue {
  std::deque<AnyMessage> items;
  std::size_t items_max = 0;
  bool finished = false;                ///< no item follows; the outcome may hold an error
  Function<void()> writable;            ///< the sender waits for room
  std::uint64_t taken = 0;              ///< items that the reader has had
  std::shared_ptr<Function<void(std::uint64_t)>> on_taken{};  ///< a far sender counts them
};

class Call final : public Work {
 public:
  explicit Call(Correlator& owner, std::uint32_t index) noexcept : owner_{owner}, index_{index} {}

  /// Runs the continuation on the executor, unless the asker has dropped it meanwhile.
  void run() noexcept override;
  void dropped() noexcept override;

 private:
  friend class Correlator;
  friend class Asker;

  Correlator& owner_;
  const std::uint32_t index_;
  std::uint32_t next_free_ = 0;

  // Whoever ends it works in these lines, which nobody looks at meanwhile.
  /// Generation in the upper half, Phase in the lower: one compare-and-swap decides who settles which request.
  alignas(64) std::atomic<std::uint64_t> word_{0};
  std::atomic<std::uint32_t> holders_{0};  ///< the asker, the request on its way, a continuation that was submitted
  base::Flag flag_;  ///< guards what follows while the phase is open or settled
  std::atomic<bool> left_{false};  ///< some server may have it: its end says maybe_executed
  bool dropped_ = false;
  bool submitted_ = false;  ///< waits in the executor: a work must not be submitted twice
  Instant deadline_;
  AnyMessage reply_;
  std::optional<Error> error_;
  std::unique_ptr<StreamQueue> stream_;
  std::shared_ptr<wire::Sink> far_;  ///< where it went: told when the asker gives up
  std::vector<Function<void()>> on_cancel_;
  Function<void()> continuation_;
  Function<void(const Error*)> ended_;  ///< told how it ended, before the asker is

  // An asker may look here in a loop.
  alignas(64) std::atomic<bool> settled_{false};
  base::Parking spot_;  ///< where the asker waits
};

}  // namespace midplane::inline v0::call
