// In process, one publisher to eight subscriptions that one thread drains.

#include "harness/report.hpp"
#include "ours/near_traffic.hpp"
#include "rivals/zmq_pub_sub.hpp"

int main(int argc, char** argv) {
  using namespace midplane::bench;
  constexpr unsigned subscriptions = 8;
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(500'000);
  NearTraffic ours{1, subscriptions};
  ZmqPubSub theirs{subscriptions};
  const bool valid = answer(
      {.row = "inproc_1_8",
       .question = "in process, 1 to 8, one draining thread",
       .unit = "M deliveries/s",
       .rival = "libzmq inproc PUB/SUB",
       .bar = 1.5,
       .goal = 5,
       .published_apart = 8.7,
       .published_close = 21.7,
       .setting = near_setting},
      [&] { return sample(ours, messages, subscriptions); },
      [&] { return sample(theirs, messages, subscriptions); }, arguments);
  return valid ? 0 : 1;
}
