// Candidate e, the base line: pooled counted envelopes by pointer through `boost::lockfree::queue`. Senders
// to one receiver share one queue.

#include <boost/lockfree/queue.hpp>

#include "spike/pointer_fan.hpp"

namespace midplane::bench {
namespace {

class SharedQueue {
 public:
  static constexpr bool is_shared = true;
  // Its nodes are as many as all pools have envelopes, so it is never full.
  [[nodiscard]] static bool fits(unsigned) { return true; }
  void push(Envelope* const* first, unsigned count) {
    for (unsigned at = 0; at < count; ++at)
      while (!queue_.push(first[at])) relax();
  }
  unsigned pop(Envelope** into) {
    unsigned count = 0;
    while (count < burst_max && queue_.pop(into[count])) ++count;
    return count;
  }
  void popped_one() {}

 private:
  static constexpr std::size_t nodes = 20000;
  boost::lockfree::queue<Envelope*, boost::lockfree::capacity<nodes>> queue_;
};

}  // namespace

Candidate pointers_through_mpmc() { return {"e  pointers, boost queue", &deliver<PointerFan<SharedQueue>>}; }

}  // namespace midplane::bench
