#pragma once
/// Memory of frames. Frames are made on one thread and freed on another, at the pace of the traffic: malloc would hand
/// their pages back to the system and fault them in again, each time. A few blocks of the usual size are kept for the
/// whole process.

#include <cstddef>
#include <memory>

#include <midplane/extend/transport.hpp>

namespace midplane::inline v0::wire {

/// What a full frame takes.
inline constexpr std::size_t frame_block_bytes = std::size_t{64} << 10;

/// At least `bytes`, aligned like malloc; null without memory. Given back by `midplane::free_frame`, on any thread.
std::byte* allocate_frame(std::size_t bytes) noexcept;

struct FreeFrame {
  void operator()(std::byte* memory) const noexcept { free_frame(memory); }
};
using FrameMemory = std::unique_ptr<std::byte, FreeFrame>;

}  // namespace midplane::inline v0::wire
