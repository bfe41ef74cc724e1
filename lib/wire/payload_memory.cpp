#include "wire/payload_memory.hpp"

#include <new>

#include "wire/return_address.hpp"

namespace midplane::inline v0 {

namespace wire {
namespace {

constexpr std::uint8_t uncached = block_bytes.size();

std::size_t class_of(std::size_t bytes) noexcept {
  std::size_t size_class = 0;
  while (size_class < block_bytes.size() && block_bytes[size_class] < bytes) ++size_class;
  return size_class;
}

/// Ends what a dead envelope still holds of others.
void let_go(Envelope& envelope) noexcept {
  Extra* extra = envelope.extra;
  if (extra == nullptr) return;
  envelope.extra = nullptr;
  delete extra->headers;
  if (extra->release) extra->release();
  if (extra->return_address) extra->return_address->unref();
  if (extra->shares) detail::release(extra->shares);
  extra->~Extra();
}

}  // namespace

Envelope* Depot::take_local(std::size_t size_class) noexcept {
  Envelope* envelope = local_[size_class];
  if (envelope) local_[size_class] = envelope->next;
  return envelope;
}

void Depot::sort_returned() noexcept {
  Envelope* envelope = returned_.take_all();
  while (envelope) {
    Envelope* next = envelope->next;
    envelope->next = local_[envelope->size_class];
    local_[envelope->size_class] = envelope;
    envelope = next;
  }
}

Envelope* Depot::acquire(std::size_t bytes, bool with_extra, bool alone) noexcept {
  if (bytes > UINT32_MAX - 4096) return nullptr;
  std::size_t total = sizeof(Envelope) + bytes + (with_extra ? sizeof(Extra) : 0);
  const std::size_t size_class = class_of(total);
  Envelope* envelope = nullptr;
  if (size_class < block_bytes.size()) {
    if (!alone) flag_.lock();
    envelope = take_local(size_class);
    if (!envelope) {
      sort_returned();
      envelope = take_local(size_class);
    }
    if (!alone) flag_.unlock();
    total = block_bytes[size_class];
  } else {
    total = (total + 63) & ~std::size_t{63};
  }
  if (!envelope) envelope = memory_.make_block(*this, size_class, total);
  if (!envelope) return nullptr;
  envelope->references.store(1, std::memory_order_relaxed);
  envelope->name = nullptr;
  envelope->sequence = 0;
  envelope->sent_at = 0;
  envelope->size = 0;
  envelope->payload = envelope->block();
  envelope->kind = Kind::message;
  envelope->retained = false;
  envelope->unverified = false;
  envelope->extra = with_extra ? ::new (envelope->block()) Extra{} : nullptr;
  return envelope;
}

void Depot::give_back(Envelope* first, Envelope* last) noexcept {
  if (first->size_class == uncached) return memory_.free_block(first);
  if (!returned_.push(first, last)) memory_.free_chain(first);
}

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
    // A sender that outlived its bus leaves its blocks to nobody.
    if (depot->returned_.is_closed()) {
      for (Envelope*& list : depot->local_) free_chain(std::exchange(list, nullptr));
    }
    idle_.push_back(depot);
  }
  unref();
}

void PayloadMemory::abandon() noexcept {
  {
    const std::lock_guard lock{mutex_};
    for (const auto& depot : depots_) {
      for (Envelope*& list : depot->local_) free_chain(std::exchange(list, nullptr));
      free_chain(depot->returned_.close());
    }
  }
  unref();
}

const Name* PayloadMemory::intern(std::string_view text) noexcept {
  const std::lock_guard lock{mutex_};
  try {
    auto found = names_.find(text);
    if (found == names_.end()) {
      found = names_.emplace(std::string{text}, Name{}).first;
      found->second.text = found->first;
      found->second.index = static_cast<std::uint32_t>(names_.size());
    }
    return &found->second;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

Envelope* PayloadMemory::make_block(Depot& home, std::size_t size_class, std::size_t bytes) noexcept {
  if (bytes_used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > bytes_max_) {
    trim();
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

void PayloadMemory::free_block(Envelope* envelope) noexcept {
  const std::size_t bytes = envelope->capacity + sizeof(Envelope);
  envelope->~Envelope();
  resource_->deallocate(envelope, bytes, alignof(Envelope));
  bytes_used_.fetch_sub(bytes, std::memory_order_relaxed);
  unref();
}

void PayloadMemory::free_chain(Envelope* first) noexcept {
  while (first) {
    Envelope* next = first->next;
    free_block(first);
    first = next;
  }
}

/// Over the budget: blocks that came home to senders that do not need them now are given back first.
void PayloadMemory::trim() noexcept {
  const std::lock_guard lock{mutex_};
  for (const auto& depot : depots_) {
    free_chain(depot->returned_.take_all());
  }
}

void PayloadMemory::unref() noexcept {
  if (alive_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Reclaimer::release(Envelope* envelope) noexcept {
  if (envelope->references.load(std::memory_order_acquire) != 1 &&
      envelope->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  if (envelope->extra) let_go(*envelope);
  if (envelope->size_class == uncached) return detail::recycle(envelope);
  if (envelope->home != home_) {
    flush();
    home_ = envelope->home;
    last_ = envelope;
  }
  envelope->next = first_;
  first_ = envelope;
}

void Reclaimer::flush() noexcept {
  if (!first_) return;
  home_->give_back(first_, last_);
  first_ = nullptr;
  home_ = nullptr;
}

}  // namespace wire

namespace detail {

void recycle(EnvelopeHead* head) noexcept {
  auto* envelope = static_cast<wire::Envelope*>(head);
  wire::let_go(*envelope);
  envelope->home->give_back(envelope, envelope);
}

}  // namespace detail
}  // namespace midplane::inline v0
