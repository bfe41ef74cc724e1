// Over tcp, one publisher to one subscription in another process, at 16, 256 and 1024 bytes, against raw
// libzmq.

#include "harness/report.hpp"
#include "ours/far_traffic.hpp"
#include "rivals/zmq_tcp_push_pull.hpp"

namespace {

using namespace midplane::bench;

template <class Payload>
bool compare(std::size_t size, std::uint64_t messages, const Arguments& arguments) {
  FarTraffic<Payload> ours{1, 1, arguments.executor};
  ZmqTcpPushPull theirs{size};
  return answer(
      {.row = "tcp_1_1_sizes",
       .question =
           "tcp, 1 to 1, " + std::to_string(size) + " bytes (ours: " + std::to_string(Payload::bytes) + ")",
       .unit = "M messages/s",
       .rival = "libzmq tcp PUSH/PULL",
       .bar = 1.5,
       .goal = 3,
       .setting = far_setting(arguments.executor)},
      [&] { return far_sample(ours, messages); }, [&] { return far_sample(theirs, messages); }, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv)) {
    if (role->front() == ZmqTcpPushPull::role) return pull_from(*role);
    // The last word is the size.
    if (role->back() == "20") return receive_ours<SmallPayload>(*role);
    return role->back() == "256" ? receive_ours<BlockPayload<256>>(*role)
                                 : receive_ours<BlockPayload<1024>>(*role);
  }
  const Arguments arguments = arguments_of(argc, argv);
  const bool small = compare<SmallPayload>(16, arguments.messages(5'000'000), arguments);
  const bool middle = compare<BlockPayload<256>>(256, arguments.messages(2'000'000), arguments);
  const bool large = compare<BlockPayload<1024>>(1024, arguments.messages(1'000'000), arguments);
  return small && middle && large ? 0 : 1;
}
