#pragma once
/// Rival: one bare `boost::lockfree::spsc_queue` of 64-byte values, pushed singly, popped all that is there.

#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>

#include "harness/crew.hpp"
#include "harness/payload.hpp"

namespace midplane::bench {

class SpscValues {
 public:
  /// `pause`: turns of `relax` after an empty look.
  explicit SpscValues(unsigned pause) : pause_{pause} {}

  double run(std::uint64_t messages) {
    SequenceCheck check;
    const double seconds = run_together(
        1,
        [&](unsigned) {
          Payload payload;
          for (std::uint64_t at = 0; at < messages; ++at) {
            write(payload, at);
            while (!lane_.push(payload)) relax();
          }
        },
        [&] {
          while (check.seen() < messages)
            if (lane_.consume_all(check) == 0) relax(pause_);
        });
    lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  boost::lockfree::spsc_queue<Payload, boost::lockfree::capacity<1024>> lane_;
  unsigned pause_;
  std::uint64_t lost_ = 0;
};

}  // namespace midplane::bench
