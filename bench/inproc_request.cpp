// In process, a request and its reply, one outstanding: both sides polling, both sides sleeping.

#include "harness/report.hpp"
#include "ours/near_requests.hpp"
#include "rivals/spsc_round_trip.hpp"

namespace {

using namespace midplane::bench;

template <class Ours, class Theirs>
bool compare(const char* question, const char* setting, double bar, double goal, std::uint64_t requests,
             const Arguments& arguments) {
  Ours ours;
  Theirs theirs;
  return answer(
      {.row = "inproc_request",
       .question = question,
       .unit = "us/request",
       .rival = "a bare pair of spsc lanes waiting the same way",
       .bar = bar,
       .goal = goal,
       .higher_is_better = false,
       .setting = setting},
      [&] { return sample(ours, requests, 1, Per::message); },
      [&] { return sample(theirs, requests, 1, Per::message); }, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = arguments_of(argc, argv);
  const bool polled = compare<NearRequests<PolledLoop>, SpscRoundTrip<Polling>>(
      "in process, request round trip, manual executor polled in a loop", "both sides look again at once", 4,
      2, arguments.messages(500'000), arguments);
  const bool slept = compare<NearRequests<SleepingPool>, SpscRoundTrip<Sleeping>>(
      "in process, request round trip, pool executor", "both sides sleep in the kernel at once", 1.5, 1.2,
      arguments.messages(50'000), arguments);
  return polled && slept ? 0 : 1;
}
