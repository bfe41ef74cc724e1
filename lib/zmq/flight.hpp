#pragma once
/// Which of the frames given to ZeroMQ have not left yet. Its free callback is the only sign of completion it gives.

#include <zmq.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

#include <midplane/extend/transport.hpp>

namespace midplane::inline v0::zmq {

class Pump;

/// The frames of all connections together; outlives the context.
struct FlightTotal {
  std::atomic<std::size_t> frames{0};
  Pump& pump;
};

/// A frame of this size is worth a place beyond the limit: small ones are better packed while they wait, and there is
/// little left to pack into this one.
inline constexpr std::size_t full_frame_bytes = std::size_t{32} << 10;
/// So many times the limit of them.
inline constexpr std::size_t full_frames_factor = 4;

/// The frames of one connection: at most `limit`, full ones more, so that a pipe of ZeroMQ is never full. A ROUTER reports writable when
/// any of its peers is; this count knows which. Shared with the frames themselves, which may leave after the connection.
class Flight {
 public:
  Flight(std::size_t limit, FlightTotal& total) noexcept : limit_{limit}, total_{total} {}

  /// Takes a place for one frame. False: no place. The last frames have one beyond the limit:
  /// what the pipe does not hold either is refused there.
  [[nodiscard]] bool enter(std::size_t bytes, bool is_last = false) noexcept;
  void leave() noexcept;

  /// Half the places are free again for what found none: time to say writable.
  [[nodiscard]] bool is_low() const noexcept {
    return frames_.load(std::memory_order_seq_cst) <= low_.load(std::memory_order_seq_cst);
  }
  /// The first caller since `stop_waiting` gets true. From then on the frame that makes it low wakes the pump.
  [[nodiscard]] bool start_waiting() noexcept { return !waiting_.exchange(true, std::memory_order_seq_cst); }
  void stop_waiting() noexcept { waiting_.store(false, std::memory_order_seq_cst); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> frames_{0};
  std::atomic<std::size_t> low_{0};
  std::atomic<bool> waiting_{false};
  FlightTotal& total_;
};

/// The same for the memory of a frame, which the message takes over; on failure it stays the caller's.
[[nodiscard]] bool make_message(zmq_msg_t& message, const std::shared_ptr<Flight>& flight, OutboundFrame frame) noexcept;
/// Closes such a message without freeing its frame: it could not be sent.
void give_up(zmq_msg_t& message) noexcept;

/// Copies `bytes` into a message whose end frees the place that the caller has entered. False: no memory, and the place
/// is free again.
[[nodiscard]] bool make_message(zmq_msg_t& message, const std::shared_ptr<Flight>& flight,
                                std::span<const std::byte> bytes) noexcept;

}  // namespace midplane::inline v0::zmq
