#pragma once
/// A memory resource that counts what is out, and fails on request.

#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <new>

struct Counting : std::pmr::memory_resource {
  std::atomic<std::size_t> out{0};
  std::atomic<std::size_t> calls{0};
  std::atomic<bool> fail{false};
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++calls;
    if (fail) throw std::bad_alloc{};
    out += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    out -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};
