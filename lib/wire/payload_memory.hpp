#pragma once
/// Where envelopes come from and go home to. A Depot belongs to one sender; consumers on other threads give blocks back
/// in bundles. PayloadMemory counts what all depots took and outlives the bus until the last envelope is home.
///
/// A bundle is one dead block that lists others of its size in its body: `size` of them. Its owner learns many addresses
/// from a few lines and can fetch the blocks ahead; a list through the blocks themselves would cost it one line crossing
/// after the other.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/flag.hpp"
#include "wire/envelope.hpp"
#include "wire/return_stack.hpp"
#include "wire/slab.hpp"

namespace midplane::inline v0::wire {

class PayloadMemory;

/// What names that peers gave may take together: all that one link may give, of any length, and thousands more.
inline constexpr std::size_t far_names_bytes_max = std::size_t{64} << 20;
/// What an interned name takes besides its text, which is there twice: as key and as name.
inline constexpr std::size_t name_overhead = 192;

/// Block sizes that a depot keeps for the next message, header included: never more than what its queues held of 64 KiB
/// blocks. Of larger ones a few are kept for all depots together; the rest goes back to the memory resource at once.
inline constexpr std::array<std::size_t, 6> block_bytes{128, 256, 1024, 4096, 16384, 65536};

/// In place of the index of a size: larger than any of them; a message in the block of a Slab.
inline constexpr std::uint8_t uncached = block_bytes.size();
inline constexpr std::uint8_t carved = uncached + 1;

/// Around the room of an uncached one: its payload can leave as a frame from where it lies (`lend_frame`).
inline constexpr std::size_t room_before_payload = 96;
inline constexpr std::size_t room_behind_payload = 16;

class Depot {
 public:
  /// An envelope with one reference and at least `bytes` behind its header (and its Extra, when asked for); null when
  /// the payload memory is used up. `alone`: the caller is the only thread that acquires here.
  Envelope* acquire(std::size_t bytes, bool with_extra, bool alone) noexcept;
  /// Takes back what the same sender has acquired and nobody else has seen, or sees any more; the next one of its size
  /// gets it, still in the cache. `alone`: as for `acquire`.
  void put_back(Envelope* envelope, bool alone) noexcept;
  /// A block for a Slab; null when too many are out. `alone`: as for `acquire`.
  Envelope* acquire_slab(bool alone) noexcept;
  /// Nobody needs one of them any more. Any thread.
  void slab_ended() noexcept;
  /// A few of its messages may come home later than their Message ends: their memory is the library's own, and there is plenty.
  [[nodiscard]] bool may_wait_for() const noexcept { return may_wait_for_; }
  /// One of its large blocks may leave as a frame and come home when that has left.
  [[nodiscard]] bool may_lend() const noexcept;
  /// Takes home a bundle of dead envelopes of this depot. Any thread.
  void give_back(Envelope* bundle) noexcept;

 private:
  friend class PayloadMemory;
  explicit Depot(PayloadMemory& memory) noexcept;
  Envelope* acquire_slowly(std::size_t bytes, bool with_extra, bool alone) noexcept;
  Envelope* take(std::size_t size_class) noexcept;
  Envelope* make(std::size_t size_class) noexcept;

  // On a line that the sender does not write: consumers read it for every message.
  alignas(64) const bool may_wait_for_;
  PayloadMemory& memory_;
  alignas(64) base::Flag flag_;
  std::array<Envelope*, block_bytes.size()> local_{};  ///< bundles, linked by `next`
  std::array<std::uint32_t, block_bytes.size()> made_{};
  Envelope* put_back_ = nullptr;
  Slab slab_;  ///< of a sender that streams
  /// One for each size; closed when the bus is gone: the returner then frees.
  alignas(64) std::array<ReturnStack<>, block_bytes.size()> returned_;
};

class PayloadMemory {
 public:
  static PayloadMemory* make(std::pmr::memory_resource* resource, std::size_t bytes_max);

  /// A depot for a new sender, which keeps this alive until it calls `retire`; the next sender gets it then. Null
  /// without memory.
  Depot* open_depot() noexcept;
  void retire(Depot* depot) noexcept;
  /// The bus is gone: what is home is freed, what is out is freed when it comes home, the last one deletes this.
  void abandon() noexcept;

  /// The one Name of a text; null without memory.
  const Name* intern(std::string_view text) noexcept;
  /// The extra of messages that say only who sent them; null without memory.
  Extra* sent_by(const Name& sender) noexcept;
  /// The same for a text that a peer chose. A name lives as long as this, so those of peers have a bound: null beyond it.
  const Name* intern_far(std::string_view text) noexcept;
  [[nodiscard]] std::size_t far_names_bytes() const noexcept;

  [[nodiscard]] std::size_t bytes_used() const noexcept { return bytes_used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t bytes_max() const noexcept { return bytes_max_; }

 private:
  friend class Depot;
  PayloadMemory(std::pmr::memory_resource* resource, std::size_t bytes_max) noexcept
      : resource_{resource}, bytes_max_{bytes_max} {}
  ~PayloadMemory() = default;
  /// A `spare` one is had only while the budget lasts: nobody's blocks are given back for it.
  Envelope* make_block(Depot& home, std::size_t size_class, std::size_t bytes, bool spare = false) noexcept;
  void free_block(Envelope* envelope) noexcept;
  void free_bundles(Envelope* first) noexcept;
  void trim() noexcept;
  Envelope* take_large(Depot& home, std::size_t bytes) noexcept;
  bool keep_large(Envelope* envelope) noexcept;
  void free_large() noexcept;
  const Name* intern_within(std::string_view text, bool is_far) noexcept;
  void unref() noexcept;

  std::pmr::memory_resource* resource_;
  std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_used_{0};
  std::atomic<std::size_t> slabs_out_{0};
  std::atomic<std::size_t> alive_{1};  ///< blocks that exist, open senders, and the bus
  mutable std::mutex mutex_;
  std::deque<std::unique_ptr<Depot>> depots_;
  std::vector<Depot*> idle_;
  std::array<Envelope*, 4> large_{};  ///< free ones
  std::size_t large_bytes_ = 0;
  bool abandoned_ = false;
  std::map<std::string, Name, std::less<>> names_;
  std::size_t far_names_bytes_ = 0;
};

/// A depot on its way to its sender.
class DepotLease {
 public:
  explicit DepotLease(PayloadMemory& memory) noexcept : memory_{memory}, depot_{memory.open_depot()} {}
  DepotLease(const DepotLease&) = delete;
  ~DepotLease() {
    if (depot_) memory_.retire(depot_);
  }
  /// False: there was no memory for one.
  explicit operator bool() const noexcept { return depot_ != nullptr; }
  [[nodiscard]] PayloadMemory& memory() const noexcept { return memory_; }
  /// Whoever takes it retires it.
  [[nodiscard]] Depot* take() noexcept { return std::exchange(depot_, nullptr); }

 private:
  PayloadMemory& memory_;
  Depot* depot_;
};

inline bool Depot::may_lend() const noexcept { return may_wait_for_ && memory_.bytes_used() <= memory_.bytes_max() / 2; }

/// Where the room ends that `Depot::acquire` has answered. Of small ones it is known without a look at them: they are on
/// their way from another core.
inline std::byte* end_of(Envelope* envelope, std::size_t bytes, bool with_extra) noexcept {
  const std::size_t total = sizeof(Envelope) + bytes + (with_extra ? sizeof(Extra) : 0);
  if (total <= block_bytes[1]) return reinterpret_cast<std::byte*>(envelope) + in_lines(total);
  return envelope->block() + envelope->capacity - (envelope->size_class == uncached ? room_behind_payload : 0);
}

/// The blocks that a bundle lists.
inline Envelope** bundled(Envelope* bundle) noexcept { return reinterpret_cast<Envelope**>(bundle->block()); }

/// How many others a block lists at most: as many as fit into the two smallest sizes, which is enough for the larger.
constexpr std::size_t bundled_max(std::size_t size_class) noexcept {
  return (block_bytes[size_class == 0 ? 0 : 1] - sizeof(Envelope)) / sizeof(Envelope*);
}

}  // namespace midplane::inline v0::wire
