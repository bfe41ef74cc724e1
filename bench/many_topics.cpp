// One topic with ten subscriptions, alone on its bus and among 999 others with ten each: what does a publish
// cost?

#include <string>

#include "harness/report.hpp"
#include "harness/statistics.hpp"
#include "ours/must.hpp"
#include "ours/tick.hpp"

namespace {

using namespace midplane;
using namespace midplane::bench;

constexpr std::uint64_t subscriptions_each = 10, burst = 64;

class Topics {
 public:
  explicit Topics(unsigned topics) {
    for (unsigned index = 0; index < topics; ++index) {
      const auto topic = must(Topic<Tick>::named("bench.topic" + std::to_string(index)));
      for (std::uint64_t one = 0; one < subscriptions_each; ++one) {
        SubscribeOptions options;
        options.queue = Queue{.messages = 2 * burst, .overflow = Overflow::drop_newest};
        subscriptions_.push_back(must(bus_.subscribe(
            topic, [this](const Message<Tick>&) { ++seen_; }, std::move(options))));
      }
      publishers_.push_back(must(bus_.publisher(topic)));
    }
    // Every topic has been used: its lanes and its memory are there.
    for (Publisher<Tick>& publisher : publishers_) static_cast<void>(must(publisher.publish(tick_of(0))));
    drain();
  }

  /// Seconds inside `publish` for `messages` on one topic, by the median burst: a thread that is put off its
  /// core in the middle of one says nothing. The handlers run in between and are not counted.
  double run(std::uint64_t messages) {
    Publisher<Tick>& publisher = publishers_[publishers_.size() / 2];
    const std::uint64_t bursts = messages / burst;
    std::vector<double> seconds;
    seconds.reserve(bursts);
    seen_ = 0;
    pin(0);
    for (std::uint64_t at = 0; at < bursts; ++at) {
      const double start = now_seconds();
      for (std::uint64_t one = 0; one < burst; ++one)
        static_cast<void>(publisher.publish(tick_of(at * burst + one)));
      seconds.push_back(now_seconds() - start);
      drain();
    }
    lost_ += bursts * burst * subscriptions_each - seen_;
    return median(std::move(seconds)) * static_cast<double>(bursts);
  }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  void drain() {
    while (loop_->poll() != 0) {
    }
  }

  std::shared_ptr<ManualExecutor> loop_ = manual_executor();
  std::uint64_t seen_ = 0, lost_ = 0;
  Bus bus_ = must(Bus::open({.name = "bench", .executor = loop_}));
  std::vector<Subscription> subscriptions_;
  std::vector<Publisher<Tick>> publishers_;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = arguments_of(argc, argv);
  const std::uint64_t messages = arguments.messages(burst * 4000);
  Topics crowd{1000};
  Topics alone{1};
  const bool valid = answer(
      {.row = "many_topics",
       .question = "one publish to 10 subscriptions, 999 other topics with 10 each",
       .unit = "us/publish",
       .rival = "the same topic alone (ours)",
       .bar = 1.2,
       .goal = 1.05,
       .higher_is_better = false,
       .setting = "one thread; bursts of 64 published, then drained outside the clock"},
      [&] { return sample(crowd, messages, 1, Per::message); },
      [&] { return sample(alone, messages, 1, Per::message); }, arguments);
  return valid ? 0 : 1;
}
