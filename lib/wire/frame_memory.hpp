#pragma once
/// Memory of frames. Frames are made on one thread and freed on another, at the pace of the traffic: malloc would hand
/// their pages back to the system and fault them in again, each time. A few blocks of the usual size are kept for the
/// whole process.

#include <cstddef>
#include <memory>
#include <span>

#include <midplane/extend/transport.hpp>

namespace midplane::inline v0::wire {

struct Envelope;

/// What a full frame takes.
inline constexpr std::size_t frame_block_bytes = std::size_t{64} << 10;

/// At least `bytes`, aligned like malloc; null without memory. Given back by `midplane::free_frame`, on any thread.
std::byte* allocate_frame(std::size_t bytes) noexcept;

/// The memory of a frame of `frame_bytes` around a payload that lies `payload_at` in it: in the block of its envelope,
/// which the frame has a reference of. Null: the payload is small, others have it too, it is not the envelope's own or
/// there is no room around it; it has to be copied. The caller has the one reference.
std::byte* lend_frame(Envelope& owner, std::span<const std::byte> payload, std::size_t payload_at, std::size_t frame_bytes) noexcept;

struct FreeFrame {
  void operator()(std::byte* memory) const noexcept { free_frame(memory); }
};
using FrameMemory = std::unique_ptr<std::byte, FreeFrame>;

}  // namespace midplane::inline v0::wire
