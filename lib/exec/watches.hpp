#pragma once
/// The descriptors that a driver watches besides its own, and which of their works runs right now: whoever ends a watch
/// is about to free the work.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <midplane/extend/executor.hpp>

#include "base/flag.hpp"
#include "base/parking.hpp"
#include "exec/doorbell.hpp"

namespace midplane::inline v0::exec {

class Watches {
 public:
  /// Never used again, so that what was seen readable before it was watched anew is told apart.
  using Key = std::uint64_t;

  explicit Watches(Doorbell& bell) noexcept : bell_{bell} {}

  /// Any thread. The bell is open for whoever sees true.
  [[nodiscard]] bool any() const noexcept { return count_.load(std::memory_order_acquire) != 0; }
  /// Any thread; the bell is open.
  bool add(int fd, Work& work) noexcept;
  /// Any thread. Waits for a run of its work unless the caller is inside one of this executor's.
  void remove(int fd, bool inside_a_run) noexcept;
  /// Ends all, and every later `add`; waits for nothing.
  void close() noexcept;

  /// The driver only: what is readable, beginning behind the one that ran last.
  [[nodiscard]] std::span<const Key> look(std::span<Key> room) const noexcept;
  /// The driver only: the work to run now; null when it is no longer watched. `end_run` follows the run.
  [[nodiscard]] Work* begin_run(Key key) noexcept;
  void end_run() noexcept;

 private:
  struct Entry {
    Key key;
    int fd;
    Work* work;
  };
  static constexpr Key none = 0;

  void publish() noexcept { count_.store(entries_.size(), std::memory_order_release); }
  void wait_for_end_of(Key run) noexcept;

  Doorbell& bell_;
  base::Flag flag_;  ///< guards what follows, up to `running_fd_`
  std::vector<Entry> entries_;
  Key last_key_ = none;
  bool closed_ = false;
  int running_fd_ = -1;
  std::atomic<Key> running_{none};  ///< set under the flag, cleared without
  Key ran_last_ = none;             ///< the driver's
  std::atomic<std::size_t> count_{0};
  base::Parking ended_;
};

}  // namespace midplane::inline v0::exec
