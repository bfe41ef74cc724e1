#include "zmq/flight.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "zmq/pump.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// In front of the bytes of every frame on its way out.
struct alignas(std::max_align_t) Head {
  std::shared_ptr<Flight> flight;
};

/// Whose message was given up on this thread; its callback runs inside zmq_msg_close.
thread_local bool frame_stays = false;

/// On ZeroMQ's thread, or on ours when a send failed: nothing here may block.
void release(void*, void* hint) {
  auto* head = static_cast<Head*>(hint);
  const std::shared_ptr<Flight> flight = std::move(head->flight);
  head->~Head();
  std::free(head);
  flight->leave();
}

/// The same for a frame whose memory came with it.
void release_frame(void* data, void* hint) {
  const bool stays = frame_stays;
  release(nullptr, hint);
  if (!stays) free_frame(static_cast<std::byte*>(data));
}

}  // namespace

void give_up(zmq_msg_t& message) noexcept {
  frame_stays = true;
  zmq_msg_close(&message);
  frame_stays = false;
}

bool Flight::enter(std::size_t bytes, bool is_last) noexcept {
  const std::size_t full = full_frames_factor * limit_;
  const std::size_t limit = is_last ? 2 * full : bytes >= full_frame_bytes ? full : limit_;
  std::size_t frames = frames_.load(std::memory_order_relaxed);
  do {
    if (frames >= limit) {
      low_.store(limit / 2, std::memory_order_seq_cst);
      return false;
    }
  } while (!frames_.compare_exchange_weak(frames, frames + 1, std::memory_order_seq_cst));
  total_.frames.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Flight::leave() noexcept {
  // seq_cst here and in start_waiting/is_low: either this load sees the waiter, or the waiter sees the place.
  const std::size_t left = frames_.fetch_sub(1, std::memory_order_seq_cst) - 1;
  if (left <= low_.load(std::memory_order_seq_cst) && waiting_.load(std::memory_order_seq_cst)) total_.pump.wake();
  total_.frames.fetch_sub(1, std::memory_order_release);
}

bool make_message(zmq_msg_t& message, const std::shared_ptr<Flight>& flight, std::span<const std::byte> bytes) noexcept {
  void* block = std::malloc(sizeof(Head) + bytes.size());
  if (block == nullptr) return flight->leave(), false;
  auto* head = ::new (block) Head{flight};
  void* data = head + 1;
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  if (zmq_msg_init_data(&message, data, bytes.size(), release, head) == 0) return true;
  return release(nullptr, head), false;
}

bool make_message(zmq_msg_t& message, const std::shared_ptr<Flight>& flight, OutboundFrame frame) noexcept {
  void* block = std::malloc(sizeof(Head));
  if (block == nullptr) return flight->leave(), false;
  auto* head = ::new (block) Head{flight};
  if (zmq_msg_init_data(&message, frame.memory, frame.size, release_frame, head) == 0) return true;
  return release(nullptr, head), false;
}

}  // namespace midplane::inline v0::zmq
