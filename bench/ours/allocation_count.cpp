// Defined in the program itself, these come before glibc's for every library it loads, libstdc++ with its
// operator new and libmidplane included. glibc keeps its own under the names with __libc.

#include "ours/allocation_count.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace midplane::bench {
namespace {
std::atomic<std::uint64_t> count{0};
void count_one() noexcept { count.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

std::uint64_t allocations() noexcept { return count.load(std::memory_order_relaxed); }

}  // namespace midplane::bench

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  midplane::bench::count_one();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  midplane::bench::count_one();
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  midplane::bench::count_one();
  return __libc_realloc(block, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  midplane::bench::count_one();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  void* const got = memalign(alignment, bytes);
  if (got == nullptr) return ENOMEM;
  *block = got;
  return 0;
}
}
