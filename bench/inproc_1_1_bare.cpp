// In process, one publisher to one subscription, against a bare queue of values.

#include "harness/report.hpp"
#include "ours/near_traffic.hpp"
#include "rivals/spsc_values.hpp"

namespace {

using namespace midplane::bench;

Question asked(const char* rival) {
  return {.row = "inproc_1_1_bare",
          .question = "in process, 1 to 1",
          .unit = "M messages/s",
          .rival = rival,
          .setting = near_setting};
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(5'000'000);
  NearTraffic ours{1, 1};
  SpscValues eager{1};
  SpscValues calm{near_pause};
  Question barred = asked("bare boost::lockfree::spsc_queue of 64-byte values, pushed singly");
  barred.bar = 0.4;
  barred.goal = 0.9;
  barred.published_apart = 13;
  barred.published_close = 55;
  const Side our_side = [&] { return sample(ours, messages); };
  const bool valid = answer(
      std::move(barred), our_side, [&] { return sample(eager, messages); }, arguments);
  // The published figure is of a receiver that looks again at once. One that comes by later is faster still.
  answer(
      asked("the same, its receiver pausing as long as ours"), our_side,
      [&] { return sample(calm, messages); }, arguments);
  return valid ? 0 : 1;
}
