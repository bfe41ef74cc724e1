#include "base/clock.hpp"
#include "bus/bus_core.hpp"
#include "bus/description.hpp"
#include "bus/far_side.hpp"
#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {
namespace {

/// How long after its duration a close still lets threads end before it reports them as stuck.
constexpr Duration grace = std::chrono::milliseconds{100};

}  // namespace

bool BusCore::all_idle() const {
  for (const auto& part : parts()) {
    if (mailbox::Runner* runner = part->runner(); runner && !runner->is_idle()) return false;
  }
  return true;
}

void BusCore::look_if_drained() noexcept {
  idle_.changed(*executor);
  if (!withdrawn_.load() || (links && !links->flushed())) return;
  far_side->refuse_new();  // what peers had sent before they knew is here
  if (all_idle() && !drained_told_.exchange(true)) event(EventKind::drained, name, {});
}

Report BusCore::drain(Duration duration) {
  if (is_inherited()) return report(true, {});
  Phase expected = Phase::open;
  phase.compare_exchange_strong(expected, Phase::draining);
  if (expected == Phase::closed) return report(true, {});
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
  if (inside_handler() || !exec::may_wait(*executor)) {
    look_if_drained();
    return report(false, {});
  }
  const Instant until = clock->now() + duration;
  // First what peers had sent before they knew, then what handlers answer to it.
  if (links) static_cast<void>(links->drain(until));
  far_side->refuse_new();
  const Duration left = std::max(Duration{0}, until - clock->now());
  const bool idle = idle_.wait(*executor, *clock, left, [this] { return all_idle(); }).has_value();
  const bool flushed = !links || links->drain(until);
  if (idle && flushed && !drained_told_.exchange(true)) event(EventKind::drained, name, {});
  return report(idle && flushed, {});
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
  const bool first = phase.exchange(Phase::closed) != Phase::closed;
  begin_close();
  if (inside_handler()) {
    end_own();
    return report(false, {});
  }
  if (finished_.load() && !first) return report(true, {});
  std::string stuck = finish_close(base::steady_now() + duration);
  const bool complete = stuck.empty();
  return report(complete, std::move(stuck));
}

std::string BusCore::finish_close(Instant until) noexcept {
  const std::vector<std::shared_ptr<Part>> all = parts();
  if (links) links->stop();
  std::string stuck;
  for (const auto& part : all) {
    mailbox::Runner* runner = part->runner();
    if (!runner) continue;
    const Duration left = std::max(Duration{0}, until - base::steady_now());
    if (!runner->wait_stopped(left) && stuck.empty()) stuck = runner->name();
  }
  if (own_executor) {
    const bool ended = executor->stop(until + grace);
    for (const auto& part : all) {
      mailbox::Runner* runner = part->runner();
      if (runner && ended) runner->forget_submitted();
      if (runner && runner->is_stopped()) runner->sweep();
    }
  }
  end_own();
  if (!finished_.exchange(true)) event(EventKind::closed, name, stuck);
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
