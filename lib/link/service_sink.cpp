#include "link/service_sink.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "link/far_topic_sink.hpp"

namespace midplane::inline v0::link {

using wire::Offer;

std::string_view ServiceSink::peer() const noexcept { return peer_->info.name; }
PeerId ServiceSink::peer_id() const noexcept { return peer_->info.id; }

Offer ServiceSink::offer(wire::Envelope& envelope) noexcept {
  const wire::Extra* extra = envelope.extra;
  if (!extra || !extra->return_address) return Offer::dropped;
  wire::ReturnAddress& asker = *extra->return_address;
  const std::uint64_t correlation = extra->correlation;
  const std::int64_t left = remaining_of(extra, peer_->clock_);
  // Rounded up: a server must not take a request for expired that is not.
  const std::int64_t micros = left / 1000 + 1;
  const bool fits = left >= 0 && micros < wire::remaining_in_meta;
  const std::uint32_t stream_items = asker.stream_items(correlation);
  const wire::MetaFields fields{.headers = extra->headers, .remaining_ns = fits ? -1 : left, .stream_items = stream_items};
  wire::Body meta;
  if (fields.any()) {
    meta = wire::encode(fields);
    if (meta.empty()) return Offer::refused;
  }
  Put put = Put::no_memory;
  std::uint64_t request = 0;
  {
    const std::lock_guard lock{peer_->remote->flag};
    if (!peer_->open_) return Offer::dropped;
    if (peer_->asked_.size() >= peer_->asked_max()) {
      FarTotals::raise(totals_->refused);
      return Offer::refused;
    }
    request = ++peer_->requests_given_;
    try {
      peer_->asked_.emplace(request, Peer::Asker{&asker, correlation, envelope.name, stream_items != 0});
    } catch (...) {
      return Offer::refused;
    }
    if (left != 0) {
      const wire::Record record{.type = wire::RecordType::request,
                                .name = name_,
                                .number = fits ? static_cast<std::uint32_t>(micros) : wire::remaining_in_meta,
                                .mark = request,
                                .payload = envelope.bytes(),
                                .meta = meta,
                                .owner = &envelope};
      Outgoing& out = peer_->outgoing_;
      if (envelope.size > peer_->message_bytes_max()) put = Put::too_large;
      else if (out.is_large(wire::bytes_of(record.type, envelope.size, meta.size()))) put = out.large({record, fields, &envelope, nullptr, false});
      else put = out.control(record);
      if (put == Put::sent) peer_->asked_.find(request)->second.packed_at = out.window.packed_bytes();
    }
    if (put == Put::sent) {
      asker.ref();
      FarTotals::raise(totals_->offered);
      FarTotals::raise(totals_->acknowledged);
    } else {
      peer_->asked_.erase(request);
      if (put == Put::full || (put == Put::no_memory && left != 0)) {
        FarTotals::raise(totals_->refused);
        return Offer::refused;
      }
      if (put == Put::gone) return Offer::dropped;
      FarTotals::raise(totals_->offered);
      totals_->drop(left == 0 ? DropReason::expired : DropReason::too_large);
    }
  }
  if (put == Put::sent) {
    if (stream_items == 0) return Offer::taken;
    // A quarter of the stream's items at a time, so that a grant costs little. Readers may be several.
    auto told = std::make_shared<std::atomic<std::uint64_t>>(0);
    asker.when_taken(correlation, [weak = std::weak_ptr<Peer>{peer_}, told, request, stream_items](std::uint64_t taken) {
      std::uint64_t before = told->load();
      if (taken < before + std::max(stream_items / 4, 1u) || !told->compare_exchange_strong(before, taken)) return;
      if (const auto peer = weak.lock())
        static_cast<void>(peer->send_control(
            {.type = wire::RecordType::item_grant, .number = static_cast<std::uint32_t>(taken), .mark = request}));
    });
    return Offer::taken;
  }
  if (left == 0) asker.fail(correlation, {ErrorCode::expired, "the deadline passed before the request left"});
  else asker.fail(correlation, {ErrorCode::too_large, "the request is larger than a message of this link may be"});
  return Offer::taken;
}

void ServiceSink::cancel(wire::ReturnAddress& asker, std::uint64_t correlation) noexcept {
  {
    const std::lock_guard lock{peer_->remote->flag};
    auto& asked = peer_->asked_;
    const auto found = std::find_if(asked.begin(), asked.end(), [&](const auto& one) {
      return one.second.address == &asker && one.second.correlation == correlation;
    });
    if (found == asked.end()) return;
    const std::uint64_t request = found->first;
    asked.erase(found);
    if (!peer_->outgoing_.take_back(request)) peer_->send_locked({.type = wire::RecordType::cancel, .mark = request});
  }
  asker.unref();
}

}  // namespace midplane::inline v0::link
