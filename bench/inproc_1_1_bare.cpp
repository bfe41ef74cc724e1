// In process, one publisher to one subscription, against a bare queue of values.

#include "harness/report.hpp"
#include "ours/near_traffic.hpp"
#include "rivals/spsc_values.hpp"

int main(int argc, char** argv) {
  using namespace midplane::bench;
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(5'000'000);
  NearTraffic ours{1, 1};
  SpscValues theirs;
  const bool valid = answer({.row = "inproc_1_1_bare",
                             .question = "in process, 1 to 1",
                             .unit = "M messages/s",
                             .rival = "bare boost::lockfree::spsc_queue of 64-byte values, pushed singly",
                             .bar = 0.4,
                             .goal = 0.9,
                             .published_apart = 13,
                             .published_close = 55,
                             .setting = near_setting},
                            [&] { return sample(ours, messages); }, [&] { return sample(theirs, messages); }, arguments);
  return valid ? 0 : 1;
}
