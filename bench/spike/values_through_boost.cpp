// Candidate b: 64-byte values through `boost::lockfree::spsc_queue`.

#include <boost/lockfree/spsc_queue.hpp>

#include "spike/value_fan.hpp"

namespace midplane::bench {
namespace {

class BoostValues {
 public:
  [[nodiscard]] bool fits(unsigned count) const { return queue_.write_available() >= count; }
  void push(const Payload* first, unsigned count) { queue_.push(first, count); }
  template <class Look>
  unsigned drain(Look&& look) {
    return static_cast<unsigned>(queue_.consume_all(look));
  }

 private:
  boost::lockfree::spsc_queue<Payload, boost::lockfree::capacity<lane_messages>> queue_;
};

}  // namespace

Candidate values_through_boost() { return {"b  values, boost spsc", &deliver<ValueFan<BoostValues>>}; }

}  // namespace midplane::bench
