#pragma once
/// Which workers are free, and whom to wake: exactly one for a lone submit, nobody while a worker is searching.
///
/// A worker is running, searching or idle. The numbers of the last two stand in one word that everybody changes with
/// read-modify-writes, so of any two changes one comes first and the later one sees all that was done before it:
///  - A submitter pushes, then calls `notify`. If a worker searches, that worker's next change of the word is later and
///    sees the push: it looks at the queue after it stopped searching (to run) or sat down (to sleep). If nobody
///    searches and somebody is idle, the submitter wakes one, who counts as searching from then on.
///  - A worker that takes one of several calls `notify` for the rest, like their submitter.
///  - The last searcher that begins to run looks at the queue and calls `notify` for what it sees.
///
/// One idle worker watches the timers: it sleeps until the next deadline. It is woken for work last.

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/flag.hpp"
#include "base/parking.hpp"

namespace midplane::inline v0::exec {

class IdleSet {
 public:
  /// A worker's place; it outlives the set's threads.
  struct Seat {
    base::Parker parker;
    Seat* above = nullptr;
    Seat* below = nullptr;
    bool taken = false;
  };
  enum class Place { away, seated, watching };

  void begin_search() noexcept { word_.fetch_add(one_searching, std::memory_order_acq_rel); }
  /// True for the last searcher.
  bool end_search() noexcept { return searching(word_.fetch_sub(one_searching, std::memory_order_acq_rel)) == 1; }
  /// Something was made ready.
  void notify() noexcept {
    const std::uint64_t before = word_.fetch_add(one_change, std::memory_order_acq_rel);
    if (searching(before) == 0 && idle(before) != 0) wake_one();
  }
  /// A searcher becomes idle; it looks at queue and timers once more before it parks.
  void sit(Seat& seat) noexcept;
  /// A seated worker searches again by itself. Harmless when it was woken for work already. With `hand_over` the
  /// next watcher is woken to read the deadline; without, nothing is due for it.
  void leave(Seat& seat, bool hand_over) noexcept;
  [[nodiscard]] Place place_of(const Seat& seat) noexcept;
  /// The next deadline came nearer.
  void wake_watcher() noexcept;

 private:
  static constexpr std::uint64_t one_searching = 1, one_idle = 1 << 16, one_change = std::uint64_t{1} << 32;
  static constexpr std::uint64_t searching(std::uint64_t word) noexcept { return word & 0xffff; }
  static constexpr std::uint64_t idle(std::uint64_t word) noexcept { return word >> 16 & 0xffff; }

  void wake_one() noexcept;
  void unlink(Seat& seat) noexcept;

  alignas(base::line_bytes) std::atomic<std::uint64_t> word_{0};
  alignas(base::line_bytes) base::Flag flag_;  ///< guards what follows and every change of the number of idle
  Seat* top_ = nullptr;      ///< the seated, last come first: its caches are warmest
  Seat* watcher_ = nullptr;  ///< not among them; there is one whenever anybody is idle
};

}  // namespace midplane::inline v0::exec
