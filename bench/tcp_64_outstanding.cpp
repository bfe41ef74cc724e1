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

struct Kind {
  const char* executor;
  const char* said;
  std::optional<double> bar, goal;
};

bool compare(const Kind& kind, std::uint64_t requests, const Arguments& arguments) {
  constexpr unsigned outstanding = 64;
  FarRequests ours{kind.executor, outstanding};
  ZmqTcpRequests theirs{tick_bytes, outstanding};
  return answer({.row = "tcp_64_outstanding",
                 .question = std::string{"tcp, requests, 64 outstanding; server: "} + kind.said,
                 .unit = "k requests/s",
                 .rival = "libzmq tcp DEALER/ROUTER",
                 .bar = kind.bar,
                 .goal = kind.goal,
                 .published_apart = 610,
                 .published_close = 610,
                 .setting = "not pinned; ours: the oldest reply is waited for; rival: one more asked for each "
                            "reply; see bench/README.md"},
                [&] { return thousands(ours, requests); }, [&] { return thousands(theirs, requests); }, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpRequests::role ? route_back(*role) : serve_ours(*role);
  const Arguments arguments = arguments_of(argc, argv);
  bool valid = true;
  for (const Kind& kind : {Kind{"inline", "inline executor, asker: manual executor", 1, 1.5},
                           Kind{"pool", "pool of one worker", {}, {}}})
    valid = compare(kind, arguments.messages(500'000), arguments) && valid;
  return valid ? 0 : 1;
}
