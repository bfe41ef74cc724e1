// In process, one publisher to one subscription, against libzmq inproc.

#include "harness/report.hpp"
#include "ours/near_traffic.hpp"
#include "rivals/zmq_push_pull.hpp"

int main(int argc, char** argv) {
  using namespace midplane::bench;
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(2'000'000);
  NearTraffic ours{1, 1};
  ZmqPushPull theirs{1};
  const bool valid = answer(
      {.row = "inproc_1_1",
       .question = "in process, 1 to 1",
       .unit = "M messages/s",
       .rival = "libzmq inproc PUSH/PULL",
       .bar = 3,
       .goal = 10,
       .published_apart = 2.2,
       .published_close = 7.8,
       .setting = near_setting},
      [&] { return sample(ours, messages); }, [&] { return sample(theirs, messages); }, arguments);
  return valid ? 0 : 1;
}
