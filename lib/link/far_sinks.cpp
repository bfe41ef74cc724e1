#include "link/far_sinks.hpp"

#include <algorithm>
#include <mutex>

namespace midplane::inline v0::link {
namespace {

using wire::Offer;

constexpr std::int64_t no_limit = -1;

/// Nanoseconds left, or `no_limit`. Not below zero otherwise.
std::int64_t remaining(const wire::Extra* extra, Clock& clock) noexcept {
  if (!extra || extra->deadline == Instant::never()) return no_limit;
  return std::max<std::int64_t>(0, (extra->deadline - clock.now()).count());
}

DropReason reason_of(Put put) noexcept {
  switch (put) {
    case Put::full: return DropReason::queue_full_newest;
    case Put::too_large: return DropReason::too_large;
    case Put::no_memory: return DropReason::no_memory;
    default: return DropReason::link_lost;
  }
}

}  // namespace

Offer TopicSink::offer(wire::Envelope& envelope, bool retained) noexcept {
  const std::int64_t left = remaining(envelope.extra, peer_->clock_);
  wire::Body meta;
  bool no_memory = false;
  if (envelope.extra && (envelope.extra->headers || left != no_limit)) {
    meta = wire::encode_meta(envelope.extra->headers, left);
    no_memory = meta.empty();
  }
  const std::lock_guard lock{peer_->flag_};
  FarTotals::raise(totals_->offered);
  // Also what is dropped has a number: the receiver reports it as a gap.
  ++number_;
  if (!noted_ && peer_->open_) {
    noted_ = true;
    peer_->offered_since_heartbeat_.push_back(this);
  }
  Put put = Put::no_memory;
  if (left == 0) {
    totals_->drop(DropReason::expired);
    return Offer::dropped;
  }
  if (!no_memory) {
    put = peer_->put({.type = wire::RecordType::message,
                      .flags = retained ? wire::retained_flag : std::uint8_t{0},
                      .name = name_,
                      .number = static_cast<std::uint32_t>(number_),
                      .mark = static_cast<std::uint64_t>(envelope.sent_at),
                      .payload = envelope.bytes(),
                      .meta = meta},
                     totals_.get(), 0, true);
  }
  if (put == Put::waiting) return Offer::taken;
  if (put == Put::sent) {
    FarTotals::raise(totals_->sent);
    return Offer::taken;
  }
  totals_->drop(reason_of(put));
  return Offer::dropped;
}

Offer ServiceSink::offer(wire::Envelope& envelope) noexcept {
  const wire::Extra* extra = envelope.extra;
  if (!extra || !extra->return_address) return Offer::dropped;
  wire::ReturnAddress& asker = *extra->return_address;
  const std::uint64_t correlation = extra->correlation;
  const std::int64_t left = remaining(extra, peer_->clock_);
  // Rounded up: a server must not take a request for expired that is not.
  const std::int64_t micros = left / 1000 + 1;
  const bool fits = left != no_limit && micros < wire::remaining_in_meta;
  wire::Body meta;
  Put put = Put::no_memory;
  if (extra->headers || (left != no_limit && !fits)) {
    meta = wire::encode_meta(extra->headers, fits ? no_limit : left);
    if (meta.empty()) return Offer::refused;
  }
  {
    const std::lock_guard lock{peer_->flag_};
    if (!peer_->open_) return Offer::dropped;
    if (peer_->asked_.size() >= peer_->options_.requests_max) {
      FarTotals::raise(totals_->refused);
      return Offer::refused;
    }
    const std::uint64_t request = ++peer_->requests_given_;
    try {
      peer_->asked_.emplace(request, Peer::Asker{&asker, correlation, envelope.name, false});
    } catch (...) {
      return Offer::refused;
    }
    if (left != 0) {
      put = peer_->put({.type = wire::RecordType::request,
                        .name = name_,
                        .number = fits ? static_cast<std::uint32_t>(micros) : wire::remaining_in_meta,
                        .mark = request,
                        .payload = envelope.bytes(),
                        .meta = meta},
                       totals_.get(), request, true);
    }
    if (put == Put::sent || put == Put::waiting) {
      asker.ref();
      FarTotals::raise(totals_->offered);
      if (put == Put::sent) {
        FarTotals::raise(totals_->sent);
        peer_->asked_.find(request)->second.left = true;
      }
      return Offer::taken;
    }
    peer_->asked_.erase(request);
    if (put == Put::full || (put == Put::no_memory && left != 0)) {
      FarTotals::raise(totals_->refused);
      return Offer::refused;
    }
    if (put == Put::gone) return Offer::dropped;
    FarTotals::raise(totals_->offered);
    totals_->drop(left == 0 ? DropReason::expired : DropReason::too_large);
  }
  if (left == 0) asker.fail(correlation, {ErrorCode::expired, "the deadline passed before the request left"});
  else asker.fail(correlation, {ErrorCode::too_large, "the request is larger than a frame of this link may be"});
  return Offer::taken;
}

void ServiceSink::cancel(wire::ReturnAddress& asker, std::uint64_t correlation) noexcept {
  {
    const std::lock_guard lock{peer_->flag_};
    auto& asked = peer_->asked_;
    const auto found = std::find_if(asked.begin(), asked.end(), [&](const auto& one) {
      return one.second.address == &asker && one.second.correlation == correlation;
    });
    if (found == asked.end()) return;
    const std::uint64_t request = found->first;
    const bool left = found->second.left;
    asked.erase(found);
    if (left) {
      static_cast<void>(peer_->put({.type = wire::RecordType::cancel, .mark = request}, nullptr, 0, false));
    } else {
      auto& queue = peer_->queue_;
      const auto waiting =
          std::find_if(queue.begin(), queue.end(), [&](const auto& one) { return one.request == request; });
      if (waiting != queue.end()) {
        peer_->forget_waiting(*waiting);
        queue.erase(waiting);
        totals_->drop(DropReason::expired);
      }
    }
  }
  asker.unref();
}

SinkStats stats_of(const FarTotals& totals, std::uint64_t waiting) {
  SinkStats stats;
  stats.name = totals.name;
  stats.kind = totals.kind;
  stats.peer = totals.peer;
  stats.waiting = waiting;
  // What ended is read before what began, so that the difference is never negative.
  stats.delivered = totals.sent.load();
  for (std::size_t i = 0; i < drop_reasons; ++i) stats.dropped.by_reason[i] = totals.dropped[i].load();
  stats.refused = totals.refused.load();
  stats.offered = totals.offered.load();
  std::uint64_t known = stats.delivered + waiting;
  for (const std::uint64_t count : stats.dropped.by_reason) known += count;
  stats.in_transit = stats.offered > known ? stats.offered - known : 0;
  return stats;
}

SinkStats TopicSink::stats() const { return stats_of(*totals_, peer_->waiting(*totals_)); }
SinkStats ServiceSink::stats() const { return stats_of(*totals_, peer_->waiting(*totals_)); }

}  // namespace midplane::inline v0::link
