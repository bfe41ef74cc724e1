// In process, four publishers, each with a thread, to one subscription.

#include "harness/report.hpp"
#include "ours/near_traffic.hpp"
#include "rivals/zmq_push_pull.hpp"

int main(int argc, char** argv) {
  using namespace midplane::bench;
  constexpr unsigned publishers = 4;
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(2'000'000);
  NearTraffic ours{publishers, 1};
  ZmqPushPull theirs{publishers};
  const bool valid = answer(
      {.row = "inproc_4_1",
       .question = "in process, 4 publishers to 1",
       .unit = "M messages/s",
       .rival = "libzmq inproc, 4 PUSH to 1 PULL",
       .bar = 2,
       .goal = 5,
       .setting = near_setting},
      [&] { return sample(ours, messages); }, [&] { return sample(theirs, messages); }, arguments);
  return valid ? 0 : 1;
}
