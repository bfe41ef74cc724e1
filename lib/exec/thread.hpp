#pragma once
/// A thread of ours: asynchronous signals blocked, named. No std::thread: it throws where we answer a Result.

#include <cstddef>

#include <pthread.h>

#include <midplane/result.hpp>

namespace midplane::inline v0::exec {

/// Runs `body(argument)`. Answers `transport_failed` when the system has no thread left.
[[nodiscard]] Result<pthread_t> start_thread(void* (*body)(void*), void* argument);
/// Names the calling thread `midplane/<index>`, or as given; at most 15 characters.
void name_this_thread(std::size_t index) noexcept;
void name_this_thread(const char* name) noexcept;

}  // namespace midplane::inline v0::exec
