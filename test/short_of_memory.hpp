#pragma once
/// Replaces the allocation functions of a test program, so that memory can end where a test wants it to. One source of a
/// program includes it.

#include <cstdlib>
#include <new>
#include <utility>

namespace {
/// After so many more allocations of this thread every one fails; below 0 none does.
thread_local int allocations_left = -1;

void* allocate(std::size_t bytes) noexcept {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  return std::malloc(bytes ? bytes : 1);
}

void* allocate(std::size_t bytes, std::align_val_t at) noexcept {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  const auto line = static_cast<std::size_t>(at);
  return std::aligned_alloc(line, (bytes + line - 1) / line * line);
}
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* memory = allocate(bytes);
  if (!memory) throw std::bad_alloc{};
  return memory;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t at) {
  void* memory = allocate(bytes, at);
  if (!memory) throw std::bad_alloc{};
  return memory;
}
void* operator new[](std::size_t bytes, std::align_val_t at) { return operator new(bytes, at); }
void* operator new(std::size_t bytes, std::align_val_t at, const std::nothrow_t&) noexcept { return allocate(bytes, at); }
void* operator new[](std::size_t bytes, std::align_val_t at, const std::nothrow_t&) noexcept { return allocate(bytes, at); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace midplane::test {

/// What `fn` answers when memory ends after `allocations`.
template <class F>
auto short_of_memory(int allocations, F&& fn) {
  struct Ended {
    ~Ended() { allocations_left = -1; }
  } ended;
  allocations_left = allocations;
  return fn();
}

}  // namespace midplane::test
