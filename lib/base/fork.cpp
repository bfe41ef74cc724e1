#include "base/fork.hpp"

#include <pthread.h>

namespace midplane::inline v0::base {

constinit std::atomic<std::uint32_t> forks_so_far{0};

namespace {

/// Before main, or when the library is loaded. Without memory for it a fork goes unnoticed, as it would without us.
[[maybe_unused]] const int registered = ::pthread_atfork(nullptr, nullptr, [] { forks_so_far.fetch_add(1, std::memory_order_relaxed); });

}  // namespace
}  // namespace midplane::inline v0::base
