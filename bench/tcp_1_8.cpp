// Over tcp, one publisher to eight subscriptions: in one other process (ours: one link) and in eight (eight
// links).

#include "harness/report.hpp"
#include "ours/far_traffic.hpp"
#include "rivals/zmq_tcp_pub_sub.hpp"

namespace {

using namespace midplane::bench;

bool compare(Question question, unsigned processes, std::uint64_t messages, const Arguments& arguments) {
  constexpr unsigned subscribers = 8;
  FarTraffic<TickPayload> ours{processes, subscribers / processes, arguments.executor};
  ZmqTcpPubSub theirs{processes, subscribers / processes, TickPayload::bytes};
  question.row = "tcp_1_8";
  question.unit = "M deliveries/s";
  question.rival = "libzmq tcp PUB/SUB";
  question.setting = far_setting(arguments.executor);
  return answer(
      std::move(question), [&] { return far_sample(ours, messages, subscribers); },
      [&] { return far_sample(theirs, messages, subscribers); }, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpPubSub::role ? subscribe_to(*role) : receive_ours<TickPayload>(*role);
  const Arguments arguments = arguments_of(argc, argv);
  const bool one = compare({.question = "tcp, 1 to 8 subscribers in one process",
                            .bar = 2,
                            .goal = 5,
                            .published_apart = 8.6,
                            .published_close = 8.6},
                           1, arguments.messages(1'000'000), arguments);
  const bool eight =
      compare({.question = "tcp, 1 to 8 subscribers in eight processes", .bar = 1.5, .goal = 2.5}, 8,
              arguments.messages(1'000'000), arguments);
  return one && eight ? 0 : 1;
}
