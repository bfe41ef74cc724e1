#include "bus/publisher_core.hpp"

#include "bus/errand.hpp"
#include "bus/far_side.hpp"
#include "exec/running.hpp"

#include <time.h>

#include <optional>

namespace midplane::inline v0::detail {
namespace {

/// Names the calling thread for as long as it lives.
const void* this_thread() noexcept {
  static thread_local const char here = 0;
  return &here;
}

std::int64_t wall_clock() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

PublisherCore::PublisherCore(std::shared_ptr<BusCore> owner, std::shared_ptr<route::TopicRoute> route,
                             const TypeInfo& type, PublisherOptions options, wire::DepotLease& depot)
    : sender{depot.memory(), depot.take(), options.one_thread, owner->limits.message_bytes_max},
      bus{std::move(owner)},
      options_{options},
      prepares_{options.stamp || !bus->interceptors.empty()} {
  if (!route) return;
  one_ = std::make_unique<Way>(route, type, outlet_options());
  {
    const std::lock_guard ordered{route->ordered()};
    ++route->publishers;
    if (options_.far_wait) ++route->far_waiters;
  }
  if (options_.retain) retain_on(*one_);
}

route::OutletOptions PublisherCore::outlet_options() noexcept {
  return {.sender = this, .far_wait = options_.far_wait, .executor = bus->executor.get(), .waits_for = &waits_for_};
}

PublisherCore::~PublisherCore() {
  bus->dismiss(*this);
  for (const auto& [name, way] : ways_) stop_retaining_on(*way);
  if (!one_) return;
  stop_retaining_on(*one_);
  route::TopicRoute& route = one_->outlet.route();
  const std::lock_guard ordered{route.ordered()};
  --route.publishers;
  if (options_.far_wait) --route.far_waiters;
}

void PublisherCore::retain_on(Way& way) noexcept {
  route::TopicRoute& route = way.outlet.route();
  const std::lock_guard ordered{route.ordered()};
  ++route.retainers;
  way.retains = true;
}

void PublisherCore::stop_retaining_on(Way& way) noexcept {
  if (!way.retains) return;
  route::TopicRoute& route = way.outlet.route();
  const std::lock_guard ordered{route.ordered()};
  if (--route.retainers == 0) route.retain(nullptr);
}

/// A second caller waits; the thread that waits inside `send` for room, and drives handlers meanwhile, must not. With
/// `one_thread` there is no other.
Result<void> PublisherCore::lock_slowly() noexcept {
  if (options_.one_thread || blocked_.load(std::memory_order_relaxed) == this_thread())
    return Error{ErrorCode::would_deadlock, "this thread already waits for room inside publish on this Publisher"};
  // Whoever has the flag may wait for room, which workers make: not all of them may wait here. A flag that is held for a
  // moment is no such wait, and counts for nobody.
  Executor* const executor = bus->executor.get();
  std::optional<exec::Waiting> waiting;
  const auto is_hopeless = [&] {
    if (waits_for_.load(std::memory_order_relaxed) != executor || !executor->runs_here()) return waiting.reset(), false;
    if (!waiting) waiting.emplace(nullptr);
    return !executor->may_wait_here();
  };
  if (flag_.lock_unless(is_hopeless)) return ok();
  return Error{ErrorCode::would_deadlock, "another thread waits for room inside publish on this Publisher, which only this one could make"};
}

void PublisherCore::unlock() noexcept {
  if (!options_.one_thread) flag_.unlock();
}

Result<void> PublisherCore::prepare(wire::Envelope& envelope, std::string_view topic,
                                    const PublishOptions& options) noexcept {
  if (options.ttl.count() < 0) return Error{ErrorCode::invalid_option, "PublishOptions::ttl is not negative; 0: never"};
  if (envelope.extra) {
    if (auto applied = apply_headers(envelope, options.headers); !applied) return applied;
    if (options.ttl.count() > 0) envelope.extra->deadline = bus->clock->now() + options.ttl;
  }
  if (options_.stamp) envelope.sent_at = wall_clock();
  const Crossing crossing{CrossingKind::publish, topic, options.headers, {}, 1, {}};
  for (std::size_t i = 0; i < bus->interceptors.size(); ++i) {
    const auto refused = bus->interceptors[i]->enter(crossing).refused();
    if (!refused) continue;
    const Error error{*refused, "an interceptor refused the publish"};
    while (i-- > 0) bus->interceptors[i]->leave(crossing, &error);
    return error;
  }
  return ok();
}

void PublisherCore::leave(BusCore& bus, std::string_view topic, const Error* error) noexcept {
  const Crossing crossing{CrossingKind::publish, topic, nullptr, {}, 1, {}};
  for (auto it = bus.interceptors.rbegin(); it != bus.interceptors.rend(); ++it) (*it)->leave(crossing, error);
}

Result<Published> PublisherCore::publish(Draft& draft, const PublishOptions& options) noexcept {
  auto* const envelope = static_cast<wire::Envelope*>(draft.take_sound(sender.message_bytes_max));
  if (!envelope) [[unlikely]] return draft.finish().error();
  if (prepares_ || envelope->extra) [[unlikely]] {
    if (auto prepared = prepare(*envelope, one_->outlet.route().name()->text, options); !prepared) {
      release(envelope);
      return prepared.error();
    }
  }
  if (!try_lock()) [[unlikely]] {
    if (auto locked = lock_slowly(); !locked) {
      release(envelope);
      if (!bus->interceptors.empty()) leave(*bus, one_->outlet.route().name()->text, &locked.error());
      return locked.error();
    }
  }
  return send_locked(*one_, envelope);
}

inline void PublisherCore::label(const Way& way, wire::Envelope& envelope) const noexcept {
  envelope.name = way.name;
  envelope.sequence = sequence_ + 1;
  envelope.unverified = way.is_bytes;
}

inline void PublisherCore::count(Way& way, std::uint32_t size, bool is_draining) noexcept {
  // Nobody waited for a one_thread publish that was under way when the drain began.
  base::order_for_compiler();
  if (is_draining || (options_.one_thread && bus->phase.load(std::memory_order_acquire) != Phase::open)) [[unlikely]]
    bus->has_gone_on();
  ++sequence_;
  mailbox::bump(way.published);
  mailbox::bump(way.payload_bytes, size);
}

/// The way of nearly every message: nothing ends, the route is as it was, and its only subscription has room.
inline route::Put PublisherCore::put_to_sole(Way& way, wire::Envelope* envelope) noexcept {
  if (refuses_ || bus->refuses() || way.retains || !way.outlet.is_current()) return route::Put::none;
  label(way, *envelope);
  const std::uint32_t size = envelope->size;
  const route::Put put = way.outlet.offer_to_sole(envelope);
  if (put != route::Put::none) count(way, size, false);
  return put;
}

inline Result<Published> PublisherCore::send_locked(Way& way, wire::Envelope* envelope) noexcept {
  const route::Put put = put_to_sole(way, envelope);
  if (put == route::Put::none) return send_to_all(way, envelope);
  if (put == route::Put::told && !prepares_) unlock();
  else end_send_to_sole(way, put);
  return Published{1, 1, 0, false};
}

Result<Published> PublisherCore::publish_to(std::string_view topic, const TypeInfo& type, Draft& draft,
                                            const PublishOptions& options, bool retain) noexcept {
  auto finished = draft.finish();
  if (!finished) return finished.error();
  auto* envelope = static_cast<wire::Envelope*>(*finished);
  if (auto prepared = prepare(*envelope, topic, options); !prepared) {
    release(envelope);
    return prepared.error();
  }
  std::shared_ptr<BusCore> alive;
  route::Mismatches mismatches;  // told when the flag is given up
  if (!try_lock()) {
    if (auto locked = lock_slowly(); !locked) {
      release(envelope);
      if (!bus->interceptors.empty()) leave(*bus, topic, &locked.error());
      return locked.error();
    }
  }
  auto way = way_to(topic, type, mismatches);
  if (!way) {
    unlock();
    release(envelope);
    if (!bus->interceptors.empty()) leave(*bus, topic, &way.error());
    return way.error();
  }
  if (mismatches.any()) alive = bus;  // an inline handler may end this Publisher, and the bus with it
  if (!(*way)->retains && (retain || options_.retain)) retain_on(**way);
  return send_locked(**way, envelope);
}

Result<Published> PublisherCore::send_to_all(Way& way, wire::Envelope* envelope) noexcept {
  route::Wakes wakes;
  Result<Published> published = send(way, envelope, wakes);
  end_send(way, wakes, published ? nullptr : &published.error());
  return published;
}

void PublisherCore::end_send_to_sole(Way& way, route::Put put) noexcept {
  route::Wakes wakes;
  if (put == route::Put::untold) way.outlet.wake_sole(wakes);
  end_send(way, wakes, nullptr);
}

void PublisherCore::end_send(Way& way, route::Wakes& wakes, const Error* error) noexcept {
  unlock();
  if (!wakes.any() && bus->interceptors.empty()) return;
  // An inline handler runs in here, and may destroy this Publisher.
  const std::shared_ptr<BusCore> alive = bus;
  const wire::Name& topic = *way.name;
  wakes.tell();
  if (!alive->interceptors.empty()) leave(*alive, topic.text, error);
}

Result<PublisherCore::Way*> PublisherCore::way_to(std::string_view topic, const TypeInfo& type,
                                                  route::Mismatches& mismatches) noexcept try {
  if (const auto found = ways_.find(topic); found != ways_.end()) return found->second.get();
  bus->verdicts.remember(type);  // before peers ask for it
  auto route = bus->topics->open_to_publish(topic, type, mismatches);
  if (!route) return route.error();
  auto way = std::make_unique<Way>(std::move(*route), type, outlet_options());
  Way* made = way.get();
  const std::lock_guard shape{ways_mutex_};
  ways_.emplace(topic, std::move(way));
  return made;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for another topic"};
}

Result<Published> PublisherCore::send(Way& way, wire::Envelope* envelope, route::Wakes& wakes) noexcept {
  // The phase too: nobody sets `refuses_` for a one_thread Publisher, nor for one that waits inside `send`.
  const bool is_draining = refuses_ || bus->refuses();
  if (is_draining && !bus->goes_on_here()) {
    release(envelope);
    return closed_handle();
  }
  route::TopicRoute& route = way.outlet.route();
  const std::uint32_t size = envelope->size;
  label(way, *envelope);
  bool reached = false;
  bool admitted = false;
  std::unique_lock<std::mutex> ordered;
  if (way.retains) {
    // Who is offered the message is settled, the value replaced, and it is put on its ways as one: whoever joins after
    // gets it as retained, and not again. Not held while it is waited for room: that may run handlers that subscribe,
    // so where that can be, who joins meanwhile gets the value before it.
    ordered = std::unique_lock{route.ordered()};
    reached = way.outlet.refresh_ordered();
    admitted = reached && way.outlet.admit(size);
    if (admitted) {
      way.outlet.expect(*envelope);
      route.retain(envelope);
    }
  } else {
    reached = way.outlet.refresh();
    admitted = reached && way.outlet.admit(size);
  }
  if (!reached) [[unlikely]] {
    release(envelope);
    return Error{ErrorCode::no_memory, "no memory to follow who subscribed; nothing was taken"};
  }
  if (!admitted) {
    release(envelope);
    return Error{ErrorCode::full, "a subscription that chose refuse has no room; nothing was taken, try again"};
  }
  if (!ordered.owns_lock() && way.outlet.has_sole_peer()) {
    const wire::Offer offer = way.outlet.offer_to_sole_peer(*envelope);
    if (offer != wire::Offer::refused) {
      count(way, size, is_draining);
      const bool is_taken = offer == wire::Offer::taken;
      if (envelope->references.load(std::memory_order_acquire) == 1) sender.depot->put_back(envelope, sender.alone);
      else release(envelope);
      return Published{1, is_taken ? 1u : 0u, is_taken ? 0u : 1u, false};
    }
  }
  if (way.outlet.lacks_lanes())
    bus->log(LogLevel::warning, "bus.no_lane", "no memory for a lane: a subscription loses what it is offered",
             "free memory or use shorter queues", {{"topic", route.name()->text}});
  if (way.outlet.may_block()) blocked_.store(this_thread(), std::memory_order_relaxed);
  const route::Offering offering = way.outlet.offer(envelope, *bus->clock, wakes, true, ordered.owns_lock() ? &ordered : nullptr);
  if (way.outlet.may_block()) blocked_.store(nullptr, std::memory_order_relaxed);
  count(way, size, is_draining);
  return Published{offering.sinks, offering.queued, offering.dropped, offering.would_deadlock};
}

void PublisherCore::refuse_new() noexcept {
  if (options_.one_thread) return;  // its only thread sees the bus's phase
  if (!flag_.try_lock()) {
    if (blocked_.load(std::memory_order_relaxed) == this_thread()) return;
    flag_.lock();
  }
  refuses_ = true;
  flag_.unlock();
}

void PublisherCore::add_to(Stats& stats) const {
  const auto add = [&stats](const std::string& name, const Way& way) {
    merge(stats, TopicStats{name, std::string{way.type->name}, way.published.load(std::memory_order_relaxed),
                            way.payload_bytes.load(std::memory_order_relaxed)});
  };
  if (one_) add(const_cast<Way&>(*one_).outlet.route().name()->text, *one_);
  const std::lock_guard shape{ways_mutex_};
  for (const auto& [name, way] : ways_) add(name, *way);
}

Sender& sender_of(PublisherCore& core) noexcept { return core.sender; }

Result<Published> publish(PublisherCore& core, Draft& draft, const PublishOptions& options) noexcept {
  return core.publish(draft, options);
}

Result<Published> publish_to(PublisherCore& core, std::string_view topic, const TypeInfo& type, Draft& draft,
                             const PublishOptions& options) noexcept {
  return core.publish_to(topic, type, draft, options, false);
}

Result<Published> publish_to(PublisherCore& core, std::string_view topic, const TypeInfo& type, Draft& draft,
                             const PublishOptions& options, bool retain) noexcept {
  return core.publish_to(topic, type, draft, options, retain);
}

Result<void> wait_matched(PublisherCore& core, unsigned n, Duration duration) {
  route::TopicRoute* route = core.route();
  if (core.bus->refuses()) return closed_handle();
  auto waited = route->matched.wait(*core.bus->executor, *core.bus->clock, duration,
                                    [&] { return route->subscriptions() >= n || core.bus->refuses(); });
  if (waited && core.bus->refuses()) return closed_handle();
  return explain_wait(*core.bus, std::move(waited),
                      "fewer subscriptions than were waited for have come within the duration");
}

void when_matched(PublisherCore& core, unsigned n, Function<void(Result<void>)> fn) {
  if (core.bus->is_inherited()) return fn(closed_handle());
  route::TopicRoute* route = core.route();
  route->matched.when([route, n, bus = core.bus.get()] { return bus->refuses() || route->subscriptions() >= n; },
                      [bus = core.bus, fn = std::move(fn)]() mutable {
                        post(*bus, "matched", [fn = std::move(fn)](BusCore* here) mutable { fn(is_ready_unless_closed(here)); });
                      });
}

Result<std::shared_ptr<PublisherCore>> make_publisher(const std::shared_ptr<BusCore>& core, std::string_view topic,
                                                      const TypeInfo& type, PublisherOptions options) try {
  if (core->refuses()) return closed_handle();
  std::shared_ptr<route::TopicRoute> route;
  if (!topic.empty()) {
    core->verdicts.remember(type);  // before peers ask for it
    route::Mismatches mismatches;
    auto opened = core->topics->open_to_publish(topic, type, mismatches);
    if (!opened) return opened.error();
    route = std::move(*opened);
  }
  wire::DepotLease depot{*core->memory};
  if (!depot) return Error{ErrorCode::no_memory, "no memory for another publisher"};
  auto publisher = base::make_unforked<PublisherCore>(core, std::move(route), type, options, depot);
  core->enrol(publisher);
  if (publisher->route()) core->far_side->tell_unheeded(*publisher->route());
  return publisher;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for another publisher"};
}

}  // namespace midplane::inline v0::detail

// 0.1.0 has these of its own accord: where the compiler inlines them all, nothing else would emit them.
template midplane::Result<midplane::Published>::Result(midplane::Result<midplane::Published>&&) noexcept;
template midplane::Result<midplane::Published>::~Result();
template midplane::Result<midplane::Published>::Storage::~Storage();
template void midplane::Result<midplane::Published>::take(midplane::Result<midplane::Published>&&) noexcept;
template void midplane::Result<midplane::Published>::destroy() noexcept;
