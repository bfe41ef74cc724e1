/// How a host listens: every kind of subscription and every overflow policy.
#include "worlds/host.hpp"

namespace midplane::worlds {
namespace {

constexpr Queue ample{.messages = 100'000, .bytes = std::size_t{1} << 30};
constexpr Overflow policies[]{Overflow::drop_newest, Overflow::drop_oldest, Overflow::latest, Overflow::refuse, Overflow::block};

}  // namespace

void Host::note_joining(const View& view, std::string_view pattern, const SubscribeOptions& options) {
  static constexpr std::string_view names[]{"drop_newest", "drop_oldest", "latest", "refuse", "block"};
  const Queue queue = options.queue.over(Queue{});
  ground_.trace.note(view.name, "joins", pattern, names[static_cast<std::size_t>(queue.overflow)], "at", queue.messages);
}

Reader& Host::join(std::string pattern, bool typed, SubscribeOptions options, View view, bool throws) {
  view.life = life_;
  view.bound = options.queue.over(Queue{}).messages;
  view.name = host_name(number_) + "/" + std::to_string(ground_.sights.size()) + ":" + view.name;
  note_joining(view, pattern, options);
  Sight* sight = ground_.sights.emplace_back(std::make_unique<Sight>(ground_.record, std::move(view))).get();
  options.on_event = [sight](const SubscriptionEvent& event) { sight->event(event); };
  Reader reader;
  reader.sight = sight;
  const auto handler = [sight, throws](const auto& message) {
    sight->message(message);
    if (!throws || message.bytes().size() % 7 != 0) return;
    sight->failed();
    throw 1;
  };
  if (typed) reader.subscription = bus_->subscribe(Pattern<Tick>::parse(pattern).value(), handler, std::move(options)).value();
  else reader.subscription = bus_->subscribe(Pattern<Bytes>::parse(pattern).value(), handler, std::move(options)).value();
  reader.pattern = std::move(pattern);
  return readers_.emplace_back(std::move(reader));
}

Reader& Host::join_inbox(std::string pattern, SubscribeOptions options, View view) {
  view.life = life_;
  view.bound = options.queue.over(Queue{}).messages;
  view.name = host_name(number_) + "/" + std::to_string(ground_.sights.size()) + ":" + view.name;
  note_joining(view, pattern, options);
  Reader reader;
  reader.sight = ground_.sights.emplace_back(std::make_unique<Sight>(ground_.record, std::move(view))).get();
  reader.inbox = bus_->inbox(Pattern<Bytes>::parse(pattern).value(), std::move(options)).value();
  reader.pattern = std::move(pattern);
  return readers_.emplace_back(std::move(reader));
}

void Host::open_readers() {
  join("sim.>", false, {.queue = ample}, {.name = "all", .is_ample = true});
  // On the slow executor a burst finds it full.
  join("sim.*", false, {.queue = Queue{.messages = 4}, .executor = ground_.slow}, {.name = "tight"});
  if (ground_.dice.percent(60)) join("sim.job", false, {.queue = ample, .group = "workers"}, {.name = "worker", .is_plain = false});
  for (auto count = 1 + ground_.dice.below(3); count-- > 0;) join_somehow();
}

Reader& Host::join_somehow() {
  SubscribeOptions options;
  switch (ground_.dice.below(6)) {
    case 0:
      options.queue = ample;
      return join("sim.tick.*", true, std::move(options), {.name = "ticks", .is_ample = true});
    case 1: {
      const Overflow overflow = policies[ground_.dice.below(std::size(policies))];
      options.queue = Queue{.messages = 1 + ground_.dice.below(8), .overflow = overflow, .block_for = std::chrono::milliseconds{10}};
      options.executor = ground_.slow;
      return join("sim.tick.a", true, std::move(options), {.name = "slow"});
    }
    case 2:
      options.queue = Queue{.messages = 1 + ground_.dice.below(16), .overflow = policies[ground_.dice.below(3)]};
      return join_inbox("sim.raw", std::move(options), {.name = "inbox"});
    case 3:
      options.queue = ample;
      return join("sim.raw", false, std::move(options), {.name = "thrower", .is_ample = true}, true);
    case 4:
      options.queue = Queue{.messages = 2 + ground_.dice.below(30)};
      options.group = "workers";
      return join("sim.job", false, std::move(options), {.name = "worker", .is_plain = false});
    default: return join_retained();
  }
}

Reader& Host::join_retained() {
  return join("sim.state", true, {.queue = ample}, {.name = "state", .is_ample = true});
}

void Host::empty_inbox(Reader& reader, std::size_t most) {
  while (most-- > 0) {
    auto item = reader.inbox->try_take();
    if (!item) return;
    if (const auto* event = std::get_if<SubscriptionEvent>(&*item)) reader.sight->event(*event);
    else reader.sight->message(std::get<Message<Bytes>>(*item));
  }
}

void Host::carry_on(bool everything) {
  for (Reader& reader : readers_)
    if (reader.inbox && (everything || ground_.dice.percent(30))) empty_inbox(reader, everything ? 100'000 : ground_.dice.below(10));
  const Instant now = ground_.clock->now();
  std::erase_if(kept_, [&](KeptReply& kept) {
    if (!everything && kept.due > now) return false;
    static_cast<void>(kept.responder.reply(write(kept.stamp)));
    return true;
  });
  if (!unawaited_.empty() && (everything || ground_.dice.percent(30))) unawaited_.erase(unawaited_.begin());
}

}  // namespace midplane::worlds
