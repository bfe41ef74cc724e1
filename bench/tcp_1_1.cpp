// Over tcp, one publisher to one subscription in another process, 64 bytes, against raw libzmq: rate and CPU
// time.

#include "harness/report.hpp"
#include "ours/far_traffic.hpp"
#include "rivals/zmq_tcp_push_pull.hpp"

int main(int argc, char** argv) {
  using namespace midplane::bench;
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpPushPull::role ? pull_from(*role) : receive_ours<TickPayload>(*role);
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(5'000'000);
  FarTraffic<TickPayload> ours{1, 1, arguments.executor};
  ZmqTcpPushPull theirs{TickPayload::bytes};
  const Question rate{.row = "tcp_1_1",
                      .question = "tcp, 1 to 1, 64 bytes",
                      .unit = "M messages/s",
                      .rival = "libzmq tcp PUSH/PULL",
                      .bar = 2,
                      .goal = 3.5,
                      .published_apart = 6.9,
                      .published_close = 6.9,
                      .setting = far_setting(arguments.executor)};
  const Side our_side = [&] { return far_sample(ours, messages); };
  if (ran_alone(rate, our_side, arguments)) return 0;
  const std::vector<Pair> pairs = measure_pairs(
      our_side, [&] { return far_sample(theirs, messages); }, arguments.limits);
  const bool valid = answer(rate, pairs, arguments);
  const bool cpu_valid = answer({.row = "tcp_1_1",
                                 .question = "tcp, 1 to 1, 64 bytes: CPU time of both processes",
                                 .unit = "CPU s per M messages",
                                 .rival = "libzmq tcp PUSH/PULL",
                                 .bar = 0.6,
                                 .goal = 0.3,
                                 .higher_is_better = false,
                                 .setting = far_setting(arguments.executor)},
                                seen_as_cpu(pairs), arguments);
  return valid && cpu_valid ? 0 : 1;
}
