#include "link/peer_return.hpp"

#include <mutex>

namespace midplane::inline v0::link {

void PeerReturn::reply(std::uint64_t correlation, wire::Envelope* reply) noexcept {
  Function<void()> forgotten;
  Put put = Put::gone;
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (peer) {
    const bool with_headers = reply && reply->extra && reply->extra->headers;
    wire::Body meta;
    if (with_headers) meta = wire::encode(wire::MetaFields{.headers = reply->extra->headers});
    const std::lock_guard lock{peer->remote->flag};
    if (const auto found = peer->served_.find(correlation); found != peer->served_.end()) {
      const bool wanted = !found->second.cancelled && peer->open_;
      forgotten = std::move(found->second.gave_up);
      if (found->second.writable) --peer->streams_waiting_;
      peer->served_.erase(found);
      if (wanted && with_headers && meta.empty()) put = Put::no_memory;
      else if (wanted) put = send(*peer, correlation, reply, meta);
    }
  }
  if (put == Put::too_large)
    send_failure(*peer, correlation, {ErrorCode::too_large, Fate::failed, "the reply is larger than a message of this link may be"});
  if (put == Put::no_memory || put == Put::full)
    send_failure(*peer, correlation, {ErrorCode::no_memory, Fate::failed, "no memory for the reply"});
  if (reply) detail::release(reply);
}

/// With the flag held. Without a reply a stream ends.
Put PeerReturn::send(Peer& peer, std::uint64_t correlation, wire::Envelope* reply, const wire::Body& meta) noexcept {
  Outgoing& out = peer.outgoing_;
  if (!reply) return out.control({.type = wire::RecordType::finished, .mark = correlation});
  if (reply->size > peer.message_bytes_max()) return Put::too_large;
  const wire::Record record{
      .type = wire::RecordType::reply, .mark = correlation, .payload = reply->bytes(), .meta = meta, .owner = reply};
  if (!out.is_large(wire::bytes_of(record.type, record.payload.size(), meta.size()))) return out.control(record);
  return out.large({record, {.headers = reply->extra ? reply->extra->headers : nullptr}, reply, nullptr, false});
}

void PeerReturn::fail(std::uint64_t correlation, const Error& error) noexcept {
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (!peer) return;
  Function<void()> forgotten;
  {
    const std::lock_guard lock{peer->remote->flag};
    const auto found = peer->served_.find(correlation);
    if (found == peer->served_.end()) return;
    const bool wanted = !found->second.cancelled;
    forgotten = std::move(found->second.gave_up);
    if (found->second.writable) --peer->streams_waiting_;
    peer->served_.erase(found);
    if (!wanted) return;
  }
  send_failure(*peer, correlation, error);
}

void PeerReturn::send_failure(Peer& peer, std::uint64_t correlation, const Error& error) noexcept {
  const wire::Body body = wire::encode(error);
  static_cast<void>(peer.send_control({.type = wire::RecordType::failure, .mark = correlation, .payload = body}));
}

wire::ItemSent PeerReturn::item(std::uint64_t correlation, wire::Envelope* item) noexcept {
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (!peer) return wire::ItemSent::gone;
  wire::Body meta;
  if (item->extra && item->extra->headers) {
    meta = wire::encode(wire::MetaFields{.headers = item->extra->headers});
    if (meta.empty()) return wire::ItemSent::no_credit;
  }
  {
    std::unique_lock lock{peer->remote->flag};
    const auto found = peer->served_.find(correlation);
    if (!peer->open_ || found == peer->served_.end() || found->second.cancelled) return wire::ItemSent::gone;
    if (found->second.stream_items == 0) {
      // Who asked so can take no item and will never grant one.
      lock.unlock();
      fail(correlation, wire::answers_many());
      return wire::ItemSent::gone;
    }
    if (item->size > peer->message_bytes_max()) return wire::ItemSent::gone;
    Peer::Served& served = found->second;
    Outgoing& out = peer->outgoing_;
    const wire::Record record{.type = wire::RecordType::item,
                              .number = static_cast<std::uint32_t>(served.sent_items + 1),
                              .mark = correlation,
                              .payload = item->bytes(),
                              .meta = meta,
                              .owner = item};
    const std::size_t size = wire::bytes_of(record.type, record.payload.size(), meta.size());
    const bool is_large = out.is_large(size);
    served.wanted_bytes = is_large ? 1 : size;
    if (!peer->may_send_item(served, served.wanted_bytes)) return wire::ItemSent::no_credit;
    Put put = Put::sent;
    if (is_large) {
      put = out.large({record, {.headers = item->extra ? item->extra->headers : nullptr}, item, nullptr, true});
    } else {
      put = out.data(record, nullptr);
      out.flush();
    }
    if (put == Put::gone) return wire::ItemSent::gone;
    if (put != Put::sent) return wire::ItemSent::no_credit;
    ++served.sent_items;
  }
  detail::release(item);
  return wire::ItemSent::queued;
}

void PeerReturn::when_writable(std::uint64_t correlation, Function<void()> ready) noexcept {
  if (const std::shared_ptr<Peer> peer = peer_.lock()) {
    const std::lock_guard lock{peer->remote->flag};
    const auto found = peer->served_.find(correlation);
    if (peer->open_ && found != peer->served_.end() && !found->second.cancelled &&
        !peer->may_send_item(found->second, found->second.wanted_bytes)) {
      if (!found->second.writable) ++peer->streams_waiting_;
      found->second.writable = std::move(ready);
      return;
    }
  }
  if (ready) ready();
}

bool PeerReturn::cancelled(std::uint64_t correlation) const noexcept {
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (!peer) return true;
  const std::lock_guard lock{peer->remote->flag};
  const auto found = peer->served_.find(correlation);
  return found == peer->served_.end() || found->second.cancelled;
}

void PeerReturn::when_cancelled(std::uint64_t correlation, Function<void()> gave_up) noexcept {
  if (const std::shared_ptr<Peer> peer = peer_.lock()) {
    const std::lock_guard lock{peer->remote->flag};
    if (const auto found = peer->served_.find(correlation); found != peer->served_.end() && !found->second.cancelled) {
      found->second.gave_up = std::move(gave_up);
      return;
    }
  }
  if (gave_up) gave_up();
}

}  // namespace midplane::inline v0::link
