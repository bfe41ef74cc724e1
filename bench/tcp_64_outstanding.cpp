// Over tcp, requests per second with 64 outstanding, against raw libzmq.

#include "harness/report.hpp"
#include "ours/far_requests.hpp"
#include "rivals/zmq_tcp_requests.hpp"

namespace {

using namespace midplane::bench;

template <class Requests>
Sample thousands(Requests& requests, std::uint64_t count) {
  Sample sample = far_sample(requests, count);
  sample.value *= 1000;
  return sample;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpRequests::role ? route_back(*role) : serve_ours(*role);
  constexpr unsigned outstanding = 64;
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t requests = arguments.messages(500'000);
  FarRequests ours{arguments.executor, outstanding};
  ZmqTcpRequests theirs{tick_bytes, outstanding};
  const bool valid = answer(
      {.row = "tcp_64_outstanding",
       .question = "tcp, requests, 64 outstanding",
       .unit = "k requests/s",
       .rival = "libzmq tcp DEALER/ROUTER",
       .bar = 1,
       .goal = 1.5,
       .published_apart = 610,
       .published_close = 610,
       .setting = "not pinned; ours: the oldest reply is waited for, handler on " + arguments.executor +
                  "; rival: one more asked for each reply; see bench/README.md"},
      [&] { return thousands(ours, requests); }, [&] { return thousands(theirs, requests); }, arguments);
  return valid ? 0 : 1;
}
