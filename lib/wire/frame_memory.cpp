#include "wire/frame_memory.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace midplane::inline v0 {

namespace wire {
namespace {

/// In front of the bytes.
struct alignas(16) Head {
  std::size_t bytes;
};

/// Empty places are null. Taking and putting exchange one place with null or a block, so no two threads hold the same
/// block and there is no list whose head could change and change back. Acquire on taking sees what the one before wrote
/// into the block, and what the kernel read for it has been read.
alignas(64) constinit std::array<std::atomic<Head*>, 16> kept{};

Head* take_kept() noexcept {
  for (std::atomic<Head*>& place : kept) {
    if (place.load(std::memory_order_relaxed) == nullptr) continue;
    if (Head* head = place.exchange(nullptr, std::memory_order_acquire)) return head;
  }
  return nullptr;
}

bool keep(Head* head) noexcept {
  for (std::atomic<Head*>& place : kept) {
    Head* empty = nullptr;
    if (place.load(std::memory_order_relaxed) == nullptr &&
        place.compare_exchange_strong(empty, head, std::memory_order_release, std::memory_order_relaxed))
      return true;
  }
  return false;
}

}  // namespace

std::byte* allocate_frame(std::size_t bytes) noexcept {
  Head* head = bytes == frame_block_bytes ? take_kept() : nullptr;
  if (!head) {
    if (bytes > SIZE_MAX - sizeof(Head)) return nullptr;
    void* const memory = std::malloc(sizeof(Head) + bytes);
    if (!memory) return nullptr;
    head = ::new (memory) Head{bytes};
  }
  return reinterpret_cast<std::byte*>(head + 1);
}

}  // namespace wire

void free_frame(std::byte* memory) noexcept {
  if (!memory) return;
  wire::Head* const head = reinterpret_cast<wire::Head*>(memory) - 1;
  if (head->bytes != wire::frame_block_bytes || !wire::keep(head)) std::free(head);
}

}  // namespace midplane::inline v0
