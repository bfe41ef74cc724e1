#pragma once
/// Visiting what lies in a shared map while others change it.

#include <mutex>
#include <new>
#include <shared_mutex>
#include <vector>

namespace midplane::inline v0::base {

/// Those that are there now, a map's shared pointers. No lock is held while one is visited, so that callbacks of the user's may
/// run in there; without memory for that it is.
template <class Map, class Visit>
void for_each_unlocked(std::shared_mutex& mutex, const Map& map, const Visit& visit) {
  std::vector<typename Map::mapped_type> all;
  std::shared_lock lock{mutex};
  try {
    all.reserve(map.size());
  } catch (const std::bad_alloc&) {
    for (const auto& [name, one] : map) visit(*one);
    return;
  }
  for (const auto& [name, one] : map) all.push_back(one);
  lock.unlock();
  for (const auto& one : all) visit(*one);
}

}  // namespace midplane::inline v0::base
