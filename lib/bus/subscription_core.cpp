#include "bus/subscription_core.hpp"

#include "bus/description.hpp"
#include "bus/errand.hpp"
#include "bus/far_side.hpp"

namespace midplane::inline v0::detail {
namespace {

Result<void> validate(const Queue& queue, const SubscribeOptions& options) {
  if (queue.messages == 0 || queue.messages > mailbox::bound_messages_max)
    return Error{ErrorCode::invalid_option, "Queue::messages is 1 to 8388608"};
  if (queue.bytes == 0 || queue.bytes > mailbox::bound_bytes_max)
    return Error{ErrorCode::invalid_option, "Queue::bytes is 1 to 512 GiB"};
  if (queue.overflow > last_overflow) return Error{ErrorCode::invalid_option, "Queue::overflow is one of Overflow"};
  if (queue.block_for.count() < 0) return Error{ErrorCode::invalid_option, "Queue::block_for is not negative"};
  if (options.concurrency == 0 || options.concurrency > 1024)
    return Error{ErrorCode::invalid_option, "SubscribeOptions::concurrency is 1 to 1024"};
  if (!options.group.empty() && check_name(options.group, false) != NameFault::none)
    return Error{ErrorCode::invalid_option, "SubscribeOptions::group is tokens of A-Z a-z 0-9 _ -, joined by dots, without wildcards"};
  if (!options.group.empty() && (queue.overflow == Overflow::refuse || queue.overflow == Overflow::block))
    return Error{ErrorCode::invalid_option, "a member of a group neither refuses nor blocks, others may take the message: "
                                            "drop_newest, drop_oldest or latest; for work that must not be lost ask a service"};
  return ok();
}

const SubscriptionEvent& event_in(const wire::Envelope& envelope) noexcept {
  return *static_cast<const SubscriptionEvent*>(envelope.extra->context);
}

}  // namespace

mailbox::Mailbox& SubscriptionCore::box() const noexcept {
  if (run) return *run;
  return *pull;
}

SubscriptionCore::~SubscriptionCore() {
  end();
  if (run || pull) bus->dismiss(*this, box());
  else bus->dismiss(*this);
  if (depot) bus->memory->retire(depot);
}

void SubscriptionCore::end() noexcept {
  if (bus->is_inherited() || ended_.exchange(true) || (!run && !pull)) return;
  bus->topics->unsubscribe(id);
  bus->far_side->unsubscribe(id);
  box().close(DropReason::unsubscribed);
  if (!run || bus->inside_handler()) return;
  const exec::Waiting waiting{nullptr};
  run->wait_stopped(Duration::max());
}

void SubscriptionCore::begin_close() noexcept {
  if (run || pull) box().close(DropReason::closed);
}

void SubscriptionCore::add_to(Stats& stats) const {
  if (run || pull) merge(stats, box().stats("subscription"));
}

void SubscriptionCore::describe(Description& all) const {
  if (ended_.load() || (!run && !pull)) return;
  const Queue& queue = box().queue();
  all.subscriptions.push_back({box().name(), describe_type(*type), group, std::string{name_of(queue.overflow)},
                               queue.messages, queue.bytes, describe_counts(box().stats("subscription"))});
}

void SubscriptionCore::tell(SubscriptionEvent event, const void* sender) noexcept {
  if (!listens_to_events || ended_.load()) return;
  if (lost_events_.load() && put({EventKind::gap, {}, {}, "events were lost: more than may wait", 0, 0}, sender))
    lost_events_ = false;
  if (!put(std::move(event), sender)) lost_events_ = true;
  box().poke();
}

void SubscriptionCore::tell_mismatch(std::string_view topic, const Error& why) noexcept try {
  bus->log(LogLevel::error, "topic.schema_mismatch", "a publisher of this bus publishes a type that this subscription does not take",
           "compare the two schemas with midplane-gen --check",
           {{"topic", topic}, {"subscription", box().name()}, {"why", why.message()}});
  bus->event(EventKind::schema_mismatch, topic, why.message());
  tell({EventKind::schema_mismatch, std::string{topic}, {}, why.message()}, nullptr);
} catch (const std::bad_alloc&) {
  bus->event(EventKind::schema_mismatch, topic, "no memory to say why");
  lost_events_ = true;
}

bool SubscriptionCore::put(SubscriptionEvent event, const void* sender) noexcept {
  wire::Envelope* envelope = depot->acquire(0, true, false);
  SubscriptionEvent* body = envelope ? new (std::nothrow) SubscriptionEvent{std::move(event)} : nullptr;
  if (!body) {
    if (envelope) release(envelope);
    bus->event(EventKind::gap, box().name(), "no memory to tell the subscription");
    return false;
  }
  envelope->kind = wire::Kind::event;
  envelope->extra->context = body;
  envelope->extra->release = [held = std::unique_ptr<SubscriptionEvent>{body}] {};
  return box().put_event(envelope, sender);
}

Result<void> SubscriptionCore::confirmed() const {
  if (bus->refuses()) return closed_handle();
  return bus->far_side->wait_ready(id, Duration{0});
}

Result<std::shared_ptr<SubscriptionCore>> subscribe(const std::shared_ptr<BusCore>& core, RawSubscription what,
                                                    SubscribeOptions options) try {
  if (core->refuses()) return closed_handle();
  const Queue queue = options.queue.over(what.default_queue);
  if (auto valid = validate(queue, options); !valid) return valid.error();
  auto subscription = base::make_unforked<SubscriptionCore>(core, core->next_id());
  subscription->type = what.type;
  subscription->group = options.group;
  core->verdicts.remember(*what.type);
  subscription->depot = core->memory->open_depot();
  if (!subscription->depot) return Error{ErrorCode::no_memory, "no memory for another subscription"};
  subscription->is_waiting = options.group.empty() && (queue.overflow == Overflow::refuse || queue.overflow == Overflow::block);
  if (what.handler) {
    subscription->listens_to_events = static_cast<bool>(options.on_event);
    mailbox::RunnerOptions runner;
    runner.bus = core.get();
    runner.name = what.pattern;
    runner.queue = queue;
    runner.concurrency = options.concurrency;
    runner.executor = options.executor ? options.executor : core->executor;
    runner.clock = core->clock;
    runner.verify = what.verify;
    runner.threw = [bus = core.get()](std::string_view name, std::string_view thrown) { bus->handler_threw(name, thrown); };
    if (options.on_event) {
      runner.handler = [handler = std::move(what.handler), on_event = std::move(options.on_event)](AnyMessage& message) mutable {
        const wire::Envelope& envelope = *wire::envelope_of(message);
        if (envelope.kind == wire::Kind::event) on_event(event_in(envelope));
        else handler(message);
      };
    } else {
      runner.handler = std::move(what.handler);
    }
    subscription->run = new mailbox::Runner{std::move(runner)};
  } else {
    subscription->listens_to_events = true;
    subscription->pull = new mailbox::PullBox{what.pattern, queue, core->clock, what.verify};
    if (core->executor->is_driven()) {
      subscription->pull->nudge = [executor = core->executor] { executor->nudge(); };
      subscription->pull->driven = core->executor;
    }
  }
  core->enrol(subscription);
  const auto mismatched = [weak = std::weak_ptr{subscription}](std::string_view topic, const Error& why) {
    if (const auto still = weak.lock()) still->tell_mismatch(topic, why);
  };
  if (auto joined = core->topics->subscribe(
          {subscription->id, what.pattern, options.group, what.type, &subscription->box(), mismatched});
      !joined)
    return joined.error();
  if (auto told = core->far_side->subscribe(subscription, what, queue, options.group); !told) return told.error();
  core->topics->for_each([&](route::TopicRoute& route) {
    if (matches(what.pattern, route.name()->text)) route.matched.changed(*core->executor);
  });
  return subscription;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for another subscription"};
}

SubscriptionHandle& SubscriptionHandle::operator=(SubscriptionHandle&& other) noexcept {
  if (this == &other) return *this;
  if (core_) core_->end();
  core_ = std::move(other.core_);
  return *this;
}

SubscriptionHandle::~SubscriptionHandle() {
  if (core_) core_->end();
}

Result<void> wait_confirmed(SubscriptionCore* core, Duration duration) {
  if (!core || core->bus->refuses()) return closed_handle();
  return explain_wait(*core->bus, core->bus->far_side->wait_ready(core->id, duration),
                      "not every peer has confirmed the subscription within the duration");
}

void when_confirmed(SubscriptionCore* core, Function<void(Result<void>)> fn) {
  if (!core || core->bus->refuses()) return fn(closed_handle());
  core->bus->far_side->when_ready(core->id, std::move(fn));
}

void when_stopped(SubscriptionCore* core, Function<void()> fn) {
  if (!core || !core->run || core->bus->is_inherited()) return fn();
  core->run->when_stopped(std::move(fn));
}

SinkStats stats_of(SubscriptionCore* core) { return core && !core->bus->is_inherited() ? core->box().stats("subscription") : SinkStats{}; }

std::optional<RawItem> try_take(SubscriptionCore* core) noexcept {
  mailbox::Taken taken;
  if (!core || !core->pull || core->bus->is_inherited() || !core->pull->try_take(taken)) return std::nullopt;
  RawItem item;
  if (taken.envelope->kind == wire::Kind::event) {
    item.event = event_in(*taken.envelope);
    release(taken.envelope);
  } else {
    item.message = AnyMessage::adopt(taken.envelope, taken.retained || taken.envelope->retained);
  }
  return item;
}

Result<RawItem> take(SubscriptionCore* core, Duration duration) {
  if (!core || !core->pull || core->bus->is_inherited()) return closed_handle();
  BusCore& bus = *core->bus;
  std::optional<RawItem> item;
  const auto waited =
      exec::wait_until(*bus.executor, *bus.clock, bus.clock->now() + duration, core->pull->spot(),
                       [&] {  // asked again after it was true: what it took then must not be taken over
                         return item.has_value() || (item = try_take(core)).has_value() || core->pull->closing();
                       });
  if (item) return std::move(*item);
  if (!waited) return waited.error();
  return closed_handle();
}

void when_item(const std::shared_ptr<SubscriptionCore>& core, std::weak_ptr<const void> awaiter,
               Function<void(Result<RawItem>)> fn) {
  if (!core || !core->pull || core->bus->is_inherited()) return fn(closed_handle());
  // The caller's may go with the coroutine, which another thread may resume before `when_ready` returns.
  const std::shared_ptr<SubscriptionCore> kept = core;
  kept->pull->when_ready(awaiter, [core = kept, awaiter, fn = std::move(fn)]() mutable {
    BusCore& bus = *core->bus;
    post(bus, "inbox", [weak = std::weak_ptr{core}, awaiter = std::move(awaiter), fn = std::move(fn)](BusCore*) mutable {
      if (awaiter.expired()) return;
      const std::shared_ptr<SubscriptionCore> core = weak.lock();
      if (!core) return fn(closed_handle());
      if (auto item = try_take(core.get())) return fn(std::move(*item));
      if (core->pull->closing()) return fn(closed_handle());
      when_item(core, std::move(awaiter), std::move(fn));  // another taker was faster
    });
  });
}

}  // namespace midplane::inline v0::detail
