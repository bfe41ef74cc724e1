#include "wire/frame_memory.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "wire/frame.hpp"
#include "wire/payload_memory.hpp"
#include "wire/reclaimer.hpp"

namespace midplane::inline v0 {

namespace wire {
namespace {

/// In front of the bytes.
struct alignas(16) Head {
  std::size_t bytes;
  Envelope* lender;  ///< whose block they lie in; null: they are a block of their own
};
static_assert(sizeof(Head) + frame_header_bytes + record_header_bytes + load_report_bytes <= room_before_payload);

/// Empty places are null. Taking and putting exchange one place with null or a block, so no two threads hold the same
/// block and there is no list whose head could change and change back. Acquire on taking sees what the one before wrote
/// into the block, and what the kernel read for it has been read.
alignas(64) constinit std::array<std::atomic<Head*>, 16> kept{};

/// Larger ones, of a large message each.
constinit std::array<std::atomic<Head*>, 4> kept_large{};
constexpr std::size_t kept_large_bytes_max = (std::size_t{2} << 20) + frame_block_bytes;

std::size_t rounded(std::size_t bytes) noexcept { return (bytes + frame_block_bytes - 1) / frame_block_bytes * frame_block_bytes; }

/// One that is large enough, and not wasted on it.
Head* take_large(std::size_t bytes) noexcept {
  for (std::atomic<Head*>& place : kept_large) {
    if (place.load(std::memory_order_relaxed) == nullptr) continue;
    Head* const head = place.exchange(nullptr, std::memory_order_acquire);
    if (!head || (head->bytes >= bytes && head->bytes <= 2 * bytes)) return head;
    std::free(head);
  }
  return nullptr;
}

Head* take_kept() noexcept {
  for (std::atomic<Head*>& place : kept) {
    if (place.load(std::memory_order_relaxed) == nullptr) continue;
    if (Head* head = place.exchange(nullptr, std::memory_order_acquire)) return head;
  }
  return nullptr;
}

template <std::size_t places>
bool keep(std::array<std::atomic<Head*>, places>& kept_ones, Head* head) noexcept {
  for (std::atomic<Head*>& place : kept_ones) {
    Head* empty = nullptr;
    if (place.load(std::memory_order_relaxed) == nullptr &&
        place.compare_exchange_strong(empty, head, std::memory_order_release, std::memory_order_relaxed))
      return true;
  }
  return false;
}

}  // namespace

std::byte* allocate_frame(std::size_t bytes) noexcept {
  Head* head = nullptr;
  if (bytes == frame_block_bytes) {
    head = take_kept();
  } else if (bytes > frame_block_bytes && bytes <= kept_large_bytes_max) {
    bytes = rounded(bytes);
    head = take_large(bytes);
  }
  if (!head) {
    if (bytes > SIZE_MAX - sizeof(Head)) return nullptr;
    void* const memory = std::malloc(sizeof(Head) + bytes);
    if (!memory) return nullptr;
    head = ::new (memory) Head{bytes, nullptr};
  }
  return reinterpret_cast<std::byte*>(head + 1);
}

std::byte* lend_frame(Envelope& owner, std::span<const std::byte> payload, std::size_t payload_at, std::size_t frame_bytes) noexcept {
  // The only reference is the caller's: nobody else can take the room around the payload, nor has left anything there.
  if (owner.size_class != uncached || owner.references.load(std::memory_order_acquire) != 1 || !owner.home->may_lend()) return nullptr;
  const auto block = reinterpret_cast<std::uintptr_t>(owner.block());
  const auto at = reinterpret_cast<std::uintptr_t>(payload.data());
  const std::size_t before = sizeof(Head) + payload_at + (owns_extra(owner) ? sizeof(Extra) : 0);
  if (payload.data() != owner.payload || at < block + before || at - payload_at + frame_bytes > block + owner.capacity) return nullptr;
  detail::acquire(&owner);
  std::byte* const frame = const_cast<std::byte*>(payload.data()) - payload_at;
  // A payload lies where its builder had it end: the head of its frame is not aligned.
  const Head head{0, &owner};
  std::memcpy(frame - sizeof head, &head, sizeof head);
  return frame;
}

}  // namespace wire

void free_frame(std::byte* memory) noexcept {
  if (!memory) return;
  wire::Head found;
  std::memcpy(&found, memory - sizeof found, sizeof found);
  if (found.lender) return detail::release(found.lender);
  wire::Head* const head = reinterpret_cast<wire::Head*>(memory) - 1;
  const bool is_large = head->bytes > wire::frame_block_bytes && head->bytes <= wire::kept_large_bytes_max;
  if (head->bytes == wire::frame_block_bytes ? wire::keep(wire::kept, head) : is_large && wire::keep(wire::kept_large, head)) return;
  std::free(head);
}

}  // namespace midplane::inline v0
