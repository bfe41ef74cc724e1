// Over tcp, a request and its reply, one outstanding: median and 99th percentile, by where our server's
// handler runs.

#include "harness/report.hpp"
#include "ours/far_requests.hpp"
#include "rivals/zmq_tcp_requests.hpp"

namespace {

using namespace midplane::bench;

/// One side: a run is valued by the median; the 99th percentiles are kept beside, the unmeasured run's first.
template <class Requests>
class Percentiles {
 public:
  template <class... Made>
  explicit Percentiles(Made... made) : requests_{made...} {}
  Sample run(std::uint64_t requests) {
    Sample sample = far_sample(requests_, requests);
    p99_.push_back(requests_.delays().microseconds_at(0.99));
    sample.value = requests_.delays().microseconds_at(0.5);
    return sample;
  }
  [[nodiscard]] double p99_of_pair(std::size_t index) const { return p99_[index + 1]; }

 private:
  Requests requests_;
  std::vector<double> p99_;
};

struct Kind {
  const char* executor;
  const char* said;
  std::optional<double> bar, goal;
};

bool compare(const Kind& kind, std::uint64_t requests, const Arguments& arguments) {
  Percentiles<FarRequests> ours{std::string{kind.executor}, 1U};
  Percentiles<ZmqTcpRequests> theirs{tick_bytes, 1U};
  Question question{
      .row = "tcp_round_trip",
      .question = std::string{"tcp, round trip, one outstanding, median; server: "} + kind.said,
      .unit = "us",
      .rival = "libzmq tcp DEALER/ROUTER",
      .bar = kind.bar,
      .goal = kind.goal,
      .higher_is_better = false,
      .published_apart = 87,
      .published_close = 87,
      .setting = "not pinned; ours: the asker waits in get; rival: blocking receives; see bench/README.md"};
  const Side our_side = [&] { return ours.run(requests); };
  if (ran_alone(question, our_side, arguments)) return true;
  std::vector<Pair> pairs = measure_pairs(
      our_side, [&] { return theirs.run(requests); }, arguments.limits);
  const bool valid = answer(question, pairs, arguments);
  for (std::size_t index = 0; index < pairs.size(); ++index) {
    pairs[index].ours.value = ours.p99_of_pair(index);
    pairs[index].theirs.value = theirs.p99_of_pair(index);
  }
  question.question = std::string{"tcp, round trip, one outstanding, 99 %; server: "} + kind.said;
  question.published_apart = question.published_close = 111;
  return answer(question, pairs, arguments) && valid;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpRequests::role ? route_back(*role) : serve_ours(*role);
  const Arguments arguments = arguments_of(argc, argv);
  bool valid = true;
  for (const Kind& kind :
       {Kind{"inline", "inline executor, asker: manual executor", 1.2, 1.05}, Kind{"pool", "pool of one worker", {}, {}},
        Kind{"yielding", "pool of one worker, both processes yielding", 1.2, 0.7}})
    valid = compare(kind, arguments.messages(20'000), arguments) && valid;
  return valid ? 0 : 1;
}
