#include "base/clock.hpp"
#include "base/process_barrier.hpp"
#include "bus/bus_core.hpp"
#include "bus/description.hpp"
#include "bus/errand.hpp"
#include "bus/far_side.hpp"
#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {
namespace {

/// How long after its duration a close still lets threads end before it reports them as stuck.
constexpr Duration grace = std::chrono::milliseconds{100};

}  // namespace

bool Part::wait_ended(Instant until) noexcept {
  mailbox::Runner* const run = runner();
  return !run || run->wait_stopped(std::max(Duration{0}, until - base::steady_now()));
}

/// A handler may put something into a queue that was looked at before, and be idle when it is its turn.
bool BusCore::all_idle() const {
  while (true) {
    const std::uint64_t before = gone_on_.load();
    for (const auto& part : parts()) {
      if (mailbox::Runner* runner = part->runner(); runner && !runner->is_idle()) return false;
    }
    if (gone_on_.load() == before) return true;
  }
}

void BusCore::look_if_drained() noexcept {
  idle_.changed(*executor);
  if (!withdrawn_.load() || (links && !links->flushed())) return;
  far_side->refuse_new();  // what peers had sent before they knew is here
  if (all_idle() && (!links || links->flushed())) tell_drained();
}

/// True when it was: a close that came first has cut it short.
bool BusCore::tell_drained() noexcept {
  if (phase.load() != Phase::draining) return false;
  if (drained_told_.exchange(true)) return true;
  event(EventKind::drained, name, {});
  if (close_by_.load() != Instant{}) close_soon();
  return true;
}

void BusCore::close_soon() noexcept try {
  post(*this, "close", [](BusCore* bus) {
    if (bus) bus->close(bus->close_by_.load() - base::steady_now());
  });
} catch (const std::bad_alloc&) {
  // Then its timer does it.
}

/// A handler that drains and closes means one after the other. True the first time: then `close` has nothing to do yet.
bool BusCore::close_when_drained(Instant until) noexcept try {
  Instant unset{};
  if (phase.load() != Phase::draining || drained_told_.load() || !close_by_.compare_exchange_strong(unset, until)) return false;
  const auto at_last = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close(Duration{0});
  };
  start_timer_of_own(shared_from_this(), until - base::steady_now(), at_last);
  if (drained_told_.load()) close_soon();  // told since
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

Report BusCore::drain(Duration duration) {
  if (is_inherited()) return report(true, {});
  Phase expected = Phase::open;
  phase.compare_exchange_strong(expected, Phase::draining);
  if (expected == Phase::closed) return report(true, {});
  // A message that is put into an attended lane right now is seen below, or its sender sees the phase.
  if (base::can_order_all_threads()) static_cast<void>(base::order_all_threads());
  for (const auto& part : parts()) {
    part->refuse_new();
    if (mailbox::Runner* runner = part->runner()) {
      runner->watch_idle([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->look_if_drained();
      });
    }
  }
  if (links) links->withdraw(own_prefix);
  tell_waiters();
  withdrawn_.store(true);
  const auto only_begin = [this] { return look_if_drained(), report(false, {}); };
  if (inside_handler()) return only_begin();
  const exec::Waiting waiting{executor.get()};
  if (!waiting) return only_begin();
  const Instant until = clock->now() + duration;
  // First what peers had sent before they knew, then what handlers answer to it.
  if (links) static_cast<void>(links->drain(until));
  far_side->refuse_new();
  const Duration left = std::max(Duration{0}, until - clock->now());
  const bool idle = idle_.wait(*executor, *clock, left, [this] { return all_idle(); }).has_value();
  const bool flushed = !links || links->drain(until);
  std::string busy;
  for (const auto& part : parts()) {
    mailbox::Runner* const runner = idle ? nullptr : part->runner();
    if (busy.empty() && runner && !runner->is_idle()) busy = runner->name();
  }
  return report(idle && flushed && tell_drained(), std::move(busy));
}

void BusCore::begin_close() noexcept {
  for (const auto& part : parts()) part->begin_close();
  tell_waiters();
}

void BusCore::tell_waiters() noexcept {
  peers_changed();
  topics->for_each([this](route::TopicRoute& route) { route.matched.changed(*executor); });
}

Report BusCore::close(Duration duration) {
  if (is_inherited()) return report(true, {});
  // In the sink that is told that it is closed.
  if (tells_closed_.load() && finisher_.load() == std::this_thread::get_id()) return report(outcome_.empty(), outcome_);
  const Instant until = base::steady_now() + duration;
  if (inside_handler() && close_when_drained(until)) return report(false, {});
  const bool first = phase.exchange(Phase::closed) != Phase::closed;
  begin_close();
  if (inside_handler()) {
    end_own();
    if (first) finish_later(until);
    return report(false, {});
  }
  // What did not end the last time may have ended since.
  std::string stuck = finished_.load() && !first ? end_parts(until) : finish_close(until);
  if (finished_.load()) join_closer();
  const bool complete = stuck.empty();
  return report(complete, std::move(stuck));
}

/// What a handler began is finished when it has returned: by the loop that runs the handlers, or by a thread.
void BusCore::finish_later(Instant until) noexcept try {
  if (executor->is_driven()) {
    auto running = std::make_shared<std::atomic<std::size_t>>(1);
    const auto one_less = [weak = weak_from_this(), running] {
      const auto self = weak.lock();
      if (running->fetch_sub(1) != 1 || !self) return;
      post(*self, "close", [](BusCore* bus) {
        if (bus) bus->finish_close(base::steady_now());
      });
    };
    for (const auto& part : parts()) {
      mailbox::Runner* runner = part->runner();
      if (!runner) continue;
      running->fetch_add(1);
      runner->when_stopped(one_less);
    }
    return one_less();
  }
  const std::lock_guard lock{mutex_};
  closer_ = std::thread{[self = shared_from_this(), until] { self->finish_close(until); }};
} catch (const std::exception& failed) {
  log(LogLevel::error, "bus.close_unfinished", "what a handler began to close can not be finished without it",
      "close the bus outside of its handlers", {{"why", failed.what()}});
}

void BusCore::join_closer() noexcept {
  std::thread closer;
  {
    const std::lock_guard lock{mutex_};
    closer.swap(closer_);
  }
  if (!closer.joinable()) return;
  // Its last act may be to let go of this bus.
  if (is_inherited() || closer.get_id() == std::this_thread::get_id()) closer.detach();
  else closer.join();
}

std::string BusCore::finish_close(Instant until) noexcept {
  std::thread::id nobody{};
  if (!finisher_.compare_exchange_strong(nobody, std::this_thread::get_id())) {
    // Somebody else is at it, who may have more time, or a sink that this very thread tells something.
    if (nobody == std::this_thread::get_id()) return name;
    while (!finished_.load()) {
      const auto key = finished_spot_.prepare();
      if (finished_.load()) finished_spot_.cancel();
      else if (!finished_spot_.wait(key, until + grace)) break;
    }
    if (finished_.load()) return end_parts(until);
    for (const auto& part : parts()) {
      if (mailbox::Runner* runner = part->runner(); runner && !runner->is_stopped()) return runner->name();
    }
    return name;
  }
  if (links) links->stop();
  std::string stuck = end_parts(until);
  end_own();
  finished_.store(true);
  outcome_ = stuck;
  tells_closed_.store(true);
  event(EventKind::closed, name, stuck);
  tells_closed_.store(false);
  finished_spot_.wake_all();
  return stuck;
}

std::string BusCore::end_parts(Instant until) noexcept {
  const std::vector<std::shared_ptr<Part>> all = parts();
  std::string stuck;
  for (const auto& part : all) {
    if (part->wait_ended(until) || !stuck.empty()) continue;
    const mailbox::Runner* const runner = part->runner();
    stuck = runner ? runner->name() : name;
  }
  if (!own_executor) return stuck;
  const bool ended = executor->stop(until + grace);
  if (!ended && stuck.empty()) stuck = name;  // a continuation
  for (const auto& part : all) {
    mailbox::Runner* runner = part->runner();
    if (runner && ended) runner->forget_submitted(*executor);
    if (runner && runner->is_stopped()) runner->sweep();
  }
  return stuck;
}

void BusCore::end_own() noexcept {
  const mailbox::HandlerFrame frame{this};  // as inside a handler, a server that ends waits for nobody
  std::vector<std::shared_ptr<ServerCore>> own;
  const std::lock_guard lock{mutex_};
  own.swap(own_);
}

Report BusCore::report(bool complete, std::string stuck) const {
  Report report;
  report.complete = complete;
  report.stuck = std::move(stuck);
  for (const SinkStats& sink : stats().sinks) {
    report.delivered += sink.delivered;
    report.waiting += sink.waiting;
    for (std::size_t i = 0; i < drop_reasons; ++i) report.dropped.by_reason[i] += sink.dropped.by_reason[i];
  }
  return report;
}

}  // namespace midplane::inline v0::detail
