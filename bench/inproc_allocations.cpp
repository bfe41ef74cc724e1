// In process, allocations per message between the 10^5th and the 10^6th: malloc and operator new, all
// threads.

#include <cstdio>

#include "harness/report.hpp"
#include "ours/allocation_count.hpp"
#include "ours/must.hpp"
#include "ours/near_requests.hpp"
#include "ours/tick.hpp"

namespace {

using namespace midplane;
using namespace midplane::bench;

constexpr std::uint64_t first = 100'000, last = 1'000'000;

/// What `allocations()` said at message `first` and at message `last`.
class Window {
 public:
  void passed(std::uint64_t number) noexcept {
    if (number == first) before_ = allocations();
    if (number == last) after_ = allocations();
  }
  [[nodiscard]] double per_message() const noexcept {
    return static_cast<double>(after_ - before_) / static_cast<double>(last - first);
  }

 private:
  std::uint64_t before_ = 0, after_ = 0;
};

constexpr std::uint64_t bound = 1024;

/// One publisher to one subscription, as any service has it: the handler runs on the bus's own pool. The first message
/// is held until the queue behind it is full: a backlog that is higher than ever before is no steady state.
Sample publishing() {
  Bus bus = must(Bus::open({.name = "bench"}));
  const Topic<Tick> topic{"bench.ticks"};
  Window window;
  TickCheck check;
  std::atomic<std::uint64_t> seen{0}, sent{0};
  SubscribeOptions options;
  options.queue = Queue{.messages = bound, .overflow = Overflow::block, .block_for = std::chrono::seconds{30}};
  const auto handler = [&](const Message<Tick>& message) {
    while (sent.load(std::memory_order_acquire) < bound) std::this_thread::yield();
    check(message);
    window.passed(check.seen());
    seen.store(check.seen(), std::memory_order_release);
  };
  const Subscription subscription = must(bus.subscribe(topic, handler, std::move(options)));
  Publisher<Tick> publisher = must(bus.publisher(topic));
  std::uint64_t lost = 0;
  for (std::uint64_t at = 0; at < last; ++at) {
    lost += must(publisher.publish(tick_of(at))).queued == 1 ? 0 : 1;
    sent.store(at + 1, std::memory_order_release);
  }
  while (seen.load(std::memory_order_acquire) + lost < last) std::this_thread::yield();
  return {.value = window.per_message(), .lost = lost + check.lost()};
}

/// One request outstanding, answered on the bus's own pool.
Sample asking() {
  constexpr Service<Tick, Tick> service{"bench.echo"};
  Bus bus = must(Bus::open({.name = "bench"}));
  const Server server =
      must(bus.serve(service, [](const Request<Tick>& ask) { return tick_of(ask->sequence() - 1); }));
  Client<Tick, Tick> client = must(bus.client(service));
  Window window;
  TickCheck check;
  for (std::uint64_t at = 0; at < last; ++at) {
    check(must(client.request(tick_of(at)).get()));
    window.passed(check.seen());
  }
  return {.value = window.per_message(), .lost = check.lost()};
}

/// A bus allocates when it opens: when that was not seen, the counter is not in the way of the library's
/// calls.
bool counts_the_library() {
  const std::uint64_t before = allocations();
  const Bus bus = must(Bus::open({.name = "bench"}));
  return allocations() - before > 10;
}

bool measure(const char* question, const Side& side, const Arguments& arguments) {
  Question asked{
      .row = "inproc_allocations",
      .question = question,
      .unit = "allocations/message",
      .bar = 0,
      .goal = 0,
      .higher_is_better = false,
      .judged = Judged::value,
      .setting = "malloc and its kin defined in the program; messages 10^5 to 10^6, the queue was full once; the bus's own pool"};
  Pair pair;
  pair.crossing_before_ns = line_crossing_ns();
  pair.ours = side();
  pair.crossing_after_ns = line_crossing_ns();
  Figure figure = sum_up(std::move(asked), {pair}, 1);
  figure.is_quick = arguments.limits.quick;
  return report(figure, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = arguments_of(argc, argv);
  if (!counts_the_library()) {
    std::fprintf(stderr, "allocations are not counted here: another malloc comes first\n");
    return 1;
  }
  const bool published = measure("in process, allocations per published message", &publishing, arguments);
  const bool asked = measure("in process, allocations per request and reply", &asking, arguments);
  return published && asked ? 0 : 1;
}
