#include "exec/watches.hpp"

#include <algorithm>
#include <mutex>
#include <new>

namespace midplane::inline v0::exec {

bool Watches::add(int fd, Work& work) noexcept {
  const std::lock_guard lock{flag_};
  if (closed_) return false;
  try {
    entries_.push_back({++last_key_, fd, &work});
  } catch (const std::bad_alloc&) {
    return false;
  }
  const bool added = bell_.add(fd, last_key_);
  if (!added) entries_.pop_back();
  publish();
  return added;
}

void Watches::remove(int fd, bool inside_a_run) noexcept {
  Key run = none;
  {
    const std::lock_guard lock{flag_};
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [fd](const Entry& e) { return e.fd == fd; });
    const bool watched = entry != entries_.end();
    // Also when it is no longer watched: `close`, or another caller, may have ended the watch while its work still runs.
    // Acquires a run that has just ended: all it did comes before the caller frees the work.
    if (running_fd_ == fd) run = running_.load(std::memory_order_acquire);
    if (watched && entry->key != run) run = none;  // that run was for a descriptor of the same number
    if (watched) {
      bell_.remove(fd);
      entries_.erase(entry);
    }
    publish();
  }
  if (!inside_a_run && run != none) wait_for_end_of(run);
}

void Watches::close() noexcept {
  const std::lock_guard lock{flag_};
  closed_ = true;
  for (const Entry& entry : entries_) bell_.remove(entry.fd);
  entries_.clear();
  publish();
}

std::span<const Watches::Key> Watches::look(std::span<Key> room) const noexcept {
  const auto keys = room.first(bell_.readable(room));
  // The kernel's order changes from look to look; this one lets a caller that runs only the first serve all in turn.
  std::sort(keys.begin(), keys.end());
  std::rotate(keys.begin(), std::upper_bound(keys.begin(), keys.end(), ran_last_), keys.end());
  return keys;
}

Work* Watches::begin_run(Key key) noexcept {
  const std::lock_guard lock{flag_};
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [key](const Entry& e) { return e.key == key; });
  if (entry == entries_.end()) return nullptr;
  running_fd_ = entry->fd;
  running_.store(key, std::memory_order_relaxed);
  ran_last_ = key;
  return entry->work;
}

void Watches::end_run() noexcept {
  running_.store(none, std::memory_order_release);
  ended_.wake_all();
}

void Watches::wait_for_end_of(Key run) noexcept {
  while (true) {
    const auto key = ended_.prepare();
    if (running_.load(std::memory_order_acquire) != run) return ended_.cancel();
    ended_.wait(key, Instant::never());
  }
}

}  // namespace midplane::inline v0::exec
