// Candidate a: pooled counted envelopes by pointer through `boost::lockfree::spsc_queue`.

#include <boost/lockfree/spsc_queue.hpp>

#include "spike/pointer_fan.hpp"

namespace midplane::bench {
namespace {

class BoostLane {
 public:
  static constexpr bool is_shared = false;
  [[nodiscard]] bool fits(unsigned count) const { return queue_.write_available() >= count; }
  void push(Envelope* const* first, unsigned count) { queue_.push(first, count); }
  unsigned pop(Envelope** into) { return static_cast<unsigned>(queue_.pop(into, burst_max)); }
  void popped_one() {}

 private:
  boost::lockfree::spsc_queue<Envelope*, boost::lockfree::capacity<lane_messages>> queue_;
};

}  // namespace

Candidate pointers_through_boost() { return {"a  pointers, boost spsc", &deliver<PointerFan<BoostLane>>}; }

}  // namespace midplane::bench
