// Over tcp, one publisher to one subscription in another process, messages of 1 MiB, against raw libzmq:
// MB/s.

#include "harness/report.hpp"
#include "ours/far_traffic.hpp"
#include "rivals/zmq_tcp_push_pull.hpp"

namespace {

using namespace midplane::bench;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// In MB/s, where a MB is 10^6 bytes.
template <class Traffic>
Sample megabytes(Traffic& traffic, std::uint64_t messages) {
  Sample sample = far_sample(traffic, messages);
  sample.value *= static_cast<double>(mebibyte);
  return sample;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpPushPull::role ? pull_from(*role)
                                                 : receive_ours<BlockPayload<mebibyte>>(*role);
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(2'000);
  FarTraffic<BlockPayload<mebibyte>> ours{1, 1, arguments.executor};
  ZmqTcpPushPull theirs{mebibyte};
  const bool valid = answer(
      {.row = "tcp_1mib",
       .question = "tcp, 1 to 1, 1 MiB",
       .unit = "MB/s",
       .rival = "libzmq tcp PUSH/PULL",
       .bar = 0.9,
       .goal = 1,
       .setting = far_setting(arguments.executor)},
      [&] { return megabytes(ours, messages); }, [&] { return megabytes(theirs, messages); }, arguments);
  return valid ? 0 : 1;
}
