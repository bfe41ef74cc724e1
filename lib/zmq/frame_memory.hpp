#pragma once
/// ZeroMQ takes the memory of each received frame from malloc, and it is free again a moment later. glibc gives what is
/// free at the top of a heap back to the system above 128 KiB, two frames: each frame would be faulted in anew.

#include <cstddef>
#include <cstdlib>

namespace midplane::inline v0::zmq {

/// Frees one mapped block of 1 MiB. For glibc that is a sign that the program uses such blocks: from now on up to 2 MiB stay
/// at the top of a heap (mallopt(3), "dynamic mmap threshold"). What the user has set with mallopt or a tunable prevails;
/// other allocators do not mind.
inline void keep_frame_memory() noexcept {
  constexpr std::size_t bytes = std::size_t{1} << 20;
  void* volatile block = std::malloc(bytes);  // volatile: the pair must not be optimised away
  std::free(block);
}

}  // namespace midplane::inline v0::zmq
