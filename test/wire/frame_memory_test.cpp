#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "wire/frame_memory.hpp"

using namespace midplane;
using namespace midplane::wire;

TEST_CASE("the memory of a full frame that was freed is had again") {
  std::byte* const first = allocate_frame(frame_block_bytes);
  REQUIRE(first);
  std::memset(first, 1, frame_block_bytes);
  free_frame(first);
  std::byte* const second = allocate_frame(frame_block_bytes);
  CHECK(second == first);
  free_frame(second);
}

TEST_CASE("the memory of a large frame is had again by one of nearly its size, and not wasted on a small one") {
  std::byte* const first = allocate_frame(1'000'000);
  REQUIRE(first);
  free_frame(first);
  std::byte* const nearly = allocate_frame(1'040'000);
  CHECK(nearly == first);
  std::memset(nearly, 1, 1'040'000);
  free_frame(nearly);
  std::byte* const small = allocate_frame(100'000);
  REQUIRE(small);
  free_frame(small);
  free_frame(nullptr);
}

TEST_CASE("frames of every size are whole, however many are out at once") {
  std::vector<std::byte*> frames;
  for (const std::size_t bytes : {1u, 1024u, 65'536u, 65'537u, 200'000u, 3'000'000u}) {
    for (int i = 0; i < 20; ++i) {
      std::byte* const frame = allocate_frame(bytes);
      REQUIRE(frame);
      CHECK(reinterpret_cast<std::uintptr_t>(frame) % 16 == 0);
      frame[0] = frame[bytes - 1] = std::byte{1};
      frames.push_back(frame);
    }
  }
  for (std::byte* const frame : frames) free_frame(frame);
}
