// Over tcp, a message with nothing else under way: does batching make it wait? Against a plain send of the
// same bytes, which is also measured against itself: the difference to it may be as large as the spread of
// that.

#include <algorithm>
#include <string>
#include <string_view>

#include "harness/report.hpp"
#include "ours/far_lone.hpp"
#include "rivals/zmq_tcp_lone.hpp"

namespace {

using namespace midplane::bench;

/// Valued by the median delay of the run.
template <class Lone>
Sample delay(Lone& lone, std::uint64_t messages) {
  Sample sample = far_sample(lone, messages);
  sample.value = lone.middle_us();
  return sample;
}

/// How far the plain send's second run is from its first, from the least to the most.
double spread_of_plain(const std::vector<double>& differences) {
  const auto [least, most] = std::minmax_element(differences.begin(), differences.end());
  return differences.empty() ? 0 : *most - *least;
}

/// Both sides wake one thread for what has arrived: the receiver's own with `inline`; `pool` wakes another for the handler.
bool compare(const std::string& executor, bool is_judged, const Arguments& arguments) {
  const std::uint64_t messages = arguments.messages(2'000);
  FarLone ours{executor};
  ZmqTcpLone plain{tick_bytes};
  Question question{.row = "lone_message",
                    .question = "tcp, a lone message, median delay one way; receiver: " + executor,
                    .unit = "us",
                    .rival = "libzmq tcp PUSH/PULL, a plain send",
                    .higher_is_better = false,
                    .setting = "a message every 0.5 ms, not pinned; rival: blocking receive; see bench/README.md"};
  const Side our_side = [&] { return delay(ours, messages); };
  if (ran_alone(question, our_side, arguments)) return true;
  // The first pair is not measured.
  std::vector<double> again;
  std::vector<Pair> pairs = measure_pairs(
      our_side,
      [&] {
        const Sample first = delay(plain, messages);
        const Sample second = delay(plain, messages);
        again.push_back(second.value - first.value);
        return first;
      },
      arguments.limits);
  again.erase(again.begin());
  const bool valid = answer(question, pairs, arguments);
  for (std::size_t index = 0; index < pairs.size(); ++index) {
    pairs[index].ours.value -= pairs[index].theirs.value;
    pairs[index].theirs.value = again[index];
  }
  question.question =
      "tcp, a lone message: ours later than the plain send; theirs: the plain send than itself; receiver: " + executor;
  if (is_judged) {
    question.judged = Judged::value;
    question.bar = spread_of_plain(again);
    question.goal = 0;
  }
  return answer(question, pairs, arguments) && valid;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto role = role_of(argc, argv))
    return role->front() == ZmqTcpLone::role ? pull_lone(*role) : receive_lone(*role);
  const Arguments arguments = arguments_of(argc, argv);
  bool valid = true;
  for (const char* executor : {"inline", "pool"})
    valid = compare(executor, executor == std::string_view{"inline"}, arguments) && valid;
  return valid ? 0 : 1;
}
