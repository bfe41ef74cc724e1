#include "wire/payload_memory.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/prefetch.hpp"
#include "wire/reclaimer.hpp"

namespace midplane::inline v0 {

namespace wire {
namespace {

/// Of the blocks for Slabs.
constexpr std::size_t slab_class = 3;
static_assert(block_bytes[slab_class] == slab_bytes);
/// What the count of a Slab's block begins with: more than it has messages.
constexpr std::uint32_t slab_count = slab_bytes;
/// Of free blocks that are larger than a depot keeps: all together.
constexpr std::size_t large_bytes_max = std::size_t{8} << 20;

std::size_t class_of(std::size_t bytes) noexcept {
  std::size_t size_class = 0;
  while (size_class < block_bytes.size() && block_bytes[size_class] < bytes) ++size_class;
  return size_class;
}

/// Fields of a fresh one that its block does not say.
void begin(Envelope* envelope) noexcept {
  envelope->references.store(1, std::memory_order_relaxed);
  envelope->name = nullptr;
  envelope->sequence = 0;
  envelope->sent_at = 0;
  envelope->size = 0;
  envelope->payload = envelope->block();
  envelope->kind = Kind::message;
  envelope->retained = false;
  envelope->unverified = false;
  envelope->extra = nullptr;
}

/// So many messages ahead a sender asks for the lines it will write: they are in the cache of whoever read them last.
constexpr std::uint32_t fetched_ahead = 6;
/// The same in a Slab.
constexpr std::uint32_t slab_ahead = 4;

/// A sender that had so many blocks of a size made streams: what it sends next comes in Slabs.
constexpr std::uint32_t streams_from = 64;

/// The header, and the end of the block, where a payload is built downwards.
void fetch_to_write(const Envelope* envelope, std::size_t size_class) noexcept {
  base::prefetch_to_write(envelope);
  base::prefetch_to_write(envelope + 1);
  if (block_bytes[size_class] == 2 * sizeof(Envelope)) return;
  base::prefetch_to_write(reinterpret_cast<const std::byte*>(envelope) + block_bytes[size_class] - 64);
}

}  // namespace

inline Envelope* Slab::carve_from_open(Depot& depot, std::uint32_t stride) noexcept {
  const std::uint32_t at = at_;
  if (at + stride > slab_bytes) return nullptr;
  std::byte* const place = reinterpret_cast<std::byte*>(block_) + at;
  if (const std::uint32_t ahead = slab_ahead * stride; at + ahead < slab_bytes) {
    for (std::uint32_t line = 0; line < stride; line += sizeof(Envelope)) base::prefetch_to_write(place + ahead + line);
  }
  auto* const envelope = ::new (place) Envelope;
  begin(envelope);
  envelope->home = &depot;
  envelope->capacity = at;
  envelope->size_class = carved;
  last_ = at;
  at_ = at + stride;
  ++carved_;
  return envelope;
}

/// Near the end of a bundle the next one is fetched, header and list, so that its blocks can be fetched in time too.
inline Envelope* Depot::take(std::size_t size_class) noexcept {
  if (!local_[size_class]) local_[size_class] = returned_[size_class].take_all();
  Envelope* const bundle = local_[size_class];
  if (!bundle) return nullptr;
  if (bundle->size == 0) {
    local_[size_class] = bundle->next;
    if (Envelope* const next = bundle->next; next && size_class == slab_class) {
      // Slabs come home by ones and twos: to look into the next bundle would be to wait for it.
      for (std::uint32_t line = 0; line <= 2 * slab_ahead; ++line) base::prefetch_to_write(next + line);
    } else if (next) {
      const std::uint32_t listed = next->size;
      for (std::uint32_t i = listed - std::min(listed, fetched_ahead); i < listed; ++i)
        fetch_to_write(bundled(next)[i], size_class);
    }
    return bundle;
  }
  const std::uint32_t left = --bundle->size;
  if (left >= fetched_ahead) {
    fetch_to_write(bundled(bundle)[left - fetched_ahead], size_class);
  } else if (left == fetched_ahead - 1) {
    if (!bundle->next) bundle->next = returned_[size_class].take_all();
    if (const Envelope* const next = bundle->next) {
      for (std::size_t at = 0; at < sizeof(Envelope) + bundled_max(size_class) * sizeof(Envelope*); at += 64)
        base::prefetch_to_write(reinterpret_cast<const std::byte*>(next) + at);
    }
  }
  return bundled(bundle)[left];
}

/// A sender that ran dry runs dry again: an eighth more than it has had so far waits for that, so that a backlog a
/// little higher than ever before costs no allocation.
Envelope* Depot::make(std::size_t size_class) noexcept {
  const std::size_t bytes = block_bytes[size_class];
  Envelope* const made = memory_.make_block(*this, size_class, bytes);
  if (!made) return nullptr;
  const std::uint32_t before = made_[size_class]++;
  for (std::uint32_t spares = before < 2 ? 0 : std::max(before / 8, 2U); spares > 0; --spares) {
    Envelope* const spare = memory_.make_block(*this, size_class, bytes, true);
    if (!spare) break;
    ++made_[size_class];
    spare->size = 0;
    spare->next = std::exchange(local_[size_class], spare);
  }
  return made;
}

/// The way of nearly every message of a sender that streams.
Envelope* Depot::acquire(std::size_t bytes, bool with_extra, bool alone) noexcept {
  if (alone && !with_extra && bytes <= block_bytes[1] - sizeof(Envelope)) {
    if (Envelope* const envelope = slab_.carve_from_open(*this, static_cast<std::uint32_t>(in_lines(sizeof(Envelope) + bytes)))) return envelope;
  }
  return acquire_slowly(bytes, with_extra, alone);
}

Envelope* Depot::acquire_slowly(std::size_t bytes, bool with_extra, bool alone) noexcept {
  if (bytes > UINT32_MAX - 4096) return nullptr;
  std::size_t total = sizeof(Envelope) + bytes + (with_extra ? sizeof(Extra) : 0);
  const std::size_t size_class = class_of(total);
  Envelope* envelope = nullptr;
  if (size_class < block_bytes.size()) {
    if (!alone) flag_.lock();
    if (put_back_ && put_back_->size_class == size_class) envelope = std::exchange(put_back_, nullptr);
    else if (made_[size_class] >= streams_from && size_class <= 1 && !with_extra) envelope = slab_.carve(*this, bytes, slab_bytes, true);
    if (!envelope) envelope = take(size_class);
    if (!envelope) envelope = make(size_class);
    if (!alone) flag_.unlock();
  } else {
    total += room_before_payload + room_behind_payload;
    // Rounded, so that messages of nearly one size can have each other's blocks.
    total = (total + block_bytes.back() - 1) / block_bytes.back() * block_bytes.back();
    envelope = memory_.take_large(*this, total);
    if (!envelope) envelope = memory_.make_block(*this, size_class, total);
  }
  if (!envelope) return nullptr;
  begin(envelope);
  if (with_extra) envelope->extra = ::new (envelope->block()) Extra{};
  return envelope;
}

Envelope* Depot::acquire_slab(bool alone) noexcept {
  const std::size_t out = memory_.slabs_out_.fetch_add(1, std::memory_order_relaxed);
  Envelope* const block =
      out < memory_.bytes_max() / 4 / slab_bytes ? acquire(slab_bytes - sizeof(Envelope), false, alone) : nullptr;
  if (!block) slab_ended();
  return block;
}

void Depot::slab_ended() noexcept { memory_.slabs_out_.fetch_sub(1, std::memory_order_relaxed); }

void Depot::put_back(Envelope* envelope, bool alone) noexcept {
  let_go(*envelope);
  if (envelope->size_class == uncached) return give_back(envelope);
  if (!alone) flag_.lock();
  if (envelope->size_class == carved) {
    const bool was_last = slab_.put_back(envelope);
    if (!alone) flag_.unlock();
    if (!was_last) detail::recycle(envelope);
    return;
  }
  envelope->size = 0;
  envelope->next = nullptr;
  Envelope* const before = std::exchange(put_back_, envelope);
  if (before) before->next = std::exchange(local_[before->size_class], before);
  if (!alone) flag_.unlock();
}

void Depot::give_back(Envelope* bundle) noexcept {
  if (bundle->size_class == uncached) {
    if (!memory_.keep_large(bundle)) memory_.free_block(bundle);
    return;
  }
  if (!returned_[bundle->size_class].push(bundle, bundle)) memory_.free_bundles(bundle);
}

/// A resource of the user's may go as soon as the bus and the last Message have.
Depot::Depot(PayloadMemory& memory) noexcept
    : may_wait_for_{*memory.resource_ == *std::pmr::new_delete_resource() &&
                    memory.bytes_max() >= 16 * SharedReleases::capacity * slab_bytes},
      memory_{memory} {}

PayloadMemory* PayloadMemory::make(std::pmr::memory_resource* resource, std::size_t bytes_max) {
  return new (std::nothrow) PayloadMemory{resource, bytes_max};
}

Depot* PayloadMemory::open_depot() noexcept {
  const std::lock_guard lock{mutex_};
  Depot* depot = nullptr;
  if (!idle_.empty()) {
    depot = idle_.back();
    idle_.pop_back();
  } else {
    try {
      idle_.reserve(depots_.size() + 1);
      depots_.push_back(std::unique_ptr<Depot>(new Depot{*this}));
      depot = depots_.back().get();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }
  alive_.fetch_add(1, std::memory_order_relaxed);
  return depot;
}

void PayloadMemory::retire(Depot* depot) noexcept {
  {
    const std::lock_guard lock{mutex_};
    // The next sender may be one that does not stream.
    depot->slab_.close();
    depot->made_.fill(0);
    // A sender that outlived its bus leaves its blocks to nobody.
    if (depot->returned_[0].is_closed()) {
      for (Envelope*& list : depot->local_) free_bundles(std::exchange(list, nullptr));
      free_bundles(std::exchange(depot->put_back_, nullptr));
    }
    idle_.push_back(depot);
  }
  unref();
}

void PayloadMemory::abandon() noexcept {
  {
    const std::lock_guard lock{mutex_};
    abandoned_ = true;
    for (const auto& depot : depots_) {
      depot->slab_.close();
      for (Envelope*& list : depot->local_) free_bundles(std::exchange(list, nullptr));
      free_bundles(std::exchange(depot->put_back_, nullptr));
      for (ReturnStack<>& returned : depot->returned_) free_bundles(returned.close());
    }
  }
  free_large();
  unref();
}

const Name* PayloadMemory::intern(std::string_view text) noexcept { return intern_within(text, false); }
const Name* PayloadMemory::intern_far(std::string_view text) noexcept { return intern_within(text, true); }

std::size_t PayloadMemory::far_names_bytes() const noexcept {
  const std::lock_guard lock{mutex_};
  return far_names_bytes_;
}

const Name* PayloadMemory::intern_within(std::string_view text, bool is_far) noexcept {
  const std::lock_guard lock{mutex_};
  try {
    auto found = names_.find(text);
    if (found == names_.end()) {
      const std::size_t bytes = is_far ? 2 * text.size() + name_overhead : 0;
      if (far_names_bytes_ + bytes > far_names_bytes_max) return nullptr;
      found = names_.emplace(std::string{text}, Name{}).first;
      found->second.text = found->first;
      found->second.index = static_cast<std::uint32_t>(names_.size());
      far_names_bytes_ += bytes;
    }
    return &found->second;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

Extra* PayloadMemory::sent_by(const Name& sender) noexcept {
  const std::lock_guard lock{mutex_};
  try {
    auto& shared = const_cast<Name&>(sender).sent_by;
    if (!shared) {
      shared = std::make_shared<Extra>();
      shared->peer = &sender;
    }
    return shared.get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

Envelope* PayloadMemory::make_block(Depot& home, std::size_t size_class, std::size_t bytes, bool spare) noexcept {
  if (bytes_used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > bytes_max_) {
    if (!spare) trim();
    if (bytes_used_.load(std::memory_order_relaxed) > bytes_max_) {
      bytes_used_.fetch_sub(bytes, std::memory_order_relaxed);
      return nullptr;
    }
  }
  void* memory = nullptr;
  try {
    memory = resource_->allocate(bytes, alignof(Envelope));
  } catch (...) {
    memory = nullptr;
  }
  if (!memory) {
    bytes_used_.fetch_sub(bytes, std::memory_order_relaxed);
    return nullptr;
  }
  alive_.fetch_add(1, std::memory_order_relaxed);
  auto* envelope = ::new (memory) Envelope;
  envelope->home = &home;
  envelope->capacity = static_cast<std::uint32_t>(bytes - sizeof(Envelope));
  envelope->size_class = static_cast<std::uint8_t>(size_class);
  return envelope;
}

/// The smallest that fits, when it is not more than twice as large.
Envelope* PayloadMemory::take_large(Depot& home, std::size_t bytes) noexcept {
  const std::lock_guard lock{mutex_};
  Envelope** best = nullptr;
  for (Envelope*& one : large_) {
    const std::size_t has = one ? one->capacity + sizeof(Envelope) : 0;
    if (has >= bytes && has <= 2 * bytes && (!best || one->capacity < (*best)->capacity)) best = &one;
  }
  if (!best) return nullptr;
  Envelope* const envelope = std::exchange(*best, nullptr);
  large_bytes_ -= envelope->capacity + sizeof(Envelope);
  envelope->home = &home;
  return envelope;
}

bool PayloadMemory::keep_large(Envelope* envelope) noexcept {
  const std::size_t bytes = envelope->capacity + sizeof(Envelope);
  const std::lock_guard lock{mutex_};
  if (abandoned_ || large_bytes_ + bytes > large_bytes_max || bytes_used() > bytes_max_ / 2) return false;
  const auto place = std::find(large_.begin(), large_.end(), nullptr);
  if (place == large_.end()) return false;
  *place = envelope;
  large_bytes_ += bytes;
  return true;
}

void PayloadMemory::free_large() noexcept {
  std::array<Envelope*, std::tuple_size_v<decltype(large_)>> all{};
  {
    const std::lock_guard lock{mutex_};
    all.swap(large_);
    large_bytes_ = 0;
  }
  for (Envelope* const one : all) {
    if (one) free_block(one);
  }
}

void PayloadMemory::free_block(Envelope* envelope) noexcept {
  const std::size_t bytes = envelope->capacity + sizeof(Envelope);
  envelope->~Envelope();
  resource_->deallocate(envelope, bytes, alignof(Envelope));
  bytes_used_.fetch_sub(bytes, std::memory_order_relaxed);
  unref();
}

void PayloadMemory::free_bundles(Envelope* first) noexcept {
  while (first) {
    Envelope* next = first->next;
    for (std::uint32_t i = 0; i < first->size; ++i) free_block(bundled(first)[i]);
    free_block(first);
    first = next;
  }
}

/// Over the budget: blocks that came home to senders that do not need them now are given back first.
void PayloadMemory::trim() noexcept {
  free_large();
  const std::lock_guard lock{mutex_};
  for (const auto& depot : depots_) {
    for (ReturnStack<>& returned : depot->returned_) free_bundles(returned.take_all());
  }
}

void PayloadMemory::unref() noexcept {
  if (alive_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

Envelope* Slab::carve(Depot& depot, std::size_t bytes, std::size_t expected, bool alone) noexcept {
  if (bytes > slab_message_bytes_max) return nullptr;
  const auto stride = static_cast<std::uint32_t>(in_lines(sizeof(Envelope) + bytes));
  if (at_ + stride > slab_bytes) {
    close();
    if (expected < slab_bytes) return nullptr;
    block_ = depot.acquire_slab(alone);
    if (!block_) return nullptr;
    block_->references.store(slab_count, std::memory_order_relaxed);
    at_ = sizeof(Envelope);
  }
  return carve_from_open(depot, stride);
}

bool leave_slab(Envelope* slab, std::uint32_t dead) noexcept {
  if (slab->references.fetch_sub(dead, std::memory_order_acq_rel) != dead) return false;
  slab->home->slab_ended();
  return true;
}

bool Slab::put_back(Envelope* envelope) noexcept {
  if (!block_ || carved_ == 0 || slab_of(envelope) != block_ || envelope->capacity != last_) return false;
  at_ = last_;
  --carved_;
  return true;
}

void Slab::close() noexcept {
  if (!block_) return;
  Envelope* const block = std::exchange(block_, nullptr);
  at_ = slab_bytes;
  if (!leave_slab(block, slab_count - std::exchange(carved_, 0))) return;
  block->size = 0;
  block->home->give_back(block);
}

}  // namespace wire
}  // namespace midplane::inline v0
