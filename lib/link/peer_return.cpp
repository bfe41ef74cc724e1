#include "link/peer_return.hpp"

#include <mutex>

namespace midplane::inline v0::link {

void PeerReturn::reply(std::uint64_t correlation, wire::Envelope* reply) noexcept {
  Function<void()> forgotten;
  Put put = Put::gone;
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (peer && !reply) {
    fail(correlation, {ErrorCode::unsupported, Fate::failed, "streamed replies do not cross a link in this version"});
    return;
  }
  if (peer) {
    const bool with_headers = reply->extra && reply->extra->headers;
    wire::Body meta;
    if (with_headers) meta = wire::encode_meta(reply->extra->headers, -1);
    const std::lock_guard lock{peer->flag_};
    if (const auto found = peer->served_.find(correlation); found != peer->served_.end()) {
      const bool wanted = !found->second.cancelled;
      forgotten = std::move(found->second.gave_up);
      peer->served_.erase(found);
      if (wanted && with_headers && meta.empty()) put = Put::no_memory;
      else if (wanted)
        put = peer->put({.type = wire::RecordType::reply, .mark = correlation, .payload = reply->bytes(), .meta = meta},
                        nullptr, 0, false);
    }
  }
  if (put == Put::too_large)
    send_failure(*peer, correlation, {ErrorCode::too_large, Fate::failed, "the reply is larger than a frame of this link may be"});
  if (put == Put::no_memory || put == Put::full)
    send_failure(*peer, correlation, {ErrorCode::no_memory, Fate::failed, "no memory for the reply"});
  if (reply) detail::release(reply);
}

void PeerReturn::fail(std::uint64_t correlation, const Error& error) noexcept {
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (!peer) return;
  Function<void()> forgotten;
  {
    const std::lock_guard lock{peer->flag_};
    const auto found = peer->served_.find(correlation);
    if (found == peer->served_.end()) return;
    const bool wanted = !found->second.cancelled;
    forgotten = std::move(found->second.gave_up);
    peer->served_.erase(found);
    if (!wanted) return;
  }
  send_failure(*peer, correlation, error);
}

void PeerReturn::send_failure(Peer& peer, std::uint64_t correlation, const Error& error) noexcept {
  const wire::Body body = wire::encode(error);
  static_cast<void>(peer.send_control({.type = wire::RecordType::failure, .mark = correlation, .payload = body}));
}

wire::ItemSent PeerReturn::item(std::uint64_t correlation, wire::Envelope*) noexcept {
  fail(correlation, {ErrorCode::unsupported, Fate::failed, "streamed replies do not cross a link in this version"});
  return wire::ItemSent::gone;
}

void PeerReturn::when_writable(std::uint64_t, Function<void()> ready) noexcept {
  if (ready) ready();
}

bool PeerReturn::cancelled(std::uint64_t correlation) const noexcept {
  const std::shared_ptr<Peer> peer = peer_.lock();
  if (!peer) return true;
  const std::lock_guard lock{peer->flag_};
  const auto found = peer->served_.find(correlation);
  return found == peer->served_.end() ? !peer->open_ : found->second.cancelled;
}

void PeerReturn::when_cancelled(std::uint64_t correlation, Function<void()> gave_up) noexcept {
  if (const std::shared_ptr<Peer> peer = peer_.lock()) {
    const std::lock_guard lock{peer->flag_};
    if (const auto found = peer->served_.find(correlation); found != peer->served_.end()) {
      if (!found->second.cancelled) {
        found->second.gave_up = std::move(gave_up);
        return;
      }
    } else if (peer->open_) {
      return;  // answered already: nobody can give up any more
    }
  }
  if (gave_up) gave_up();
}

}  // namespace midplane::inline v0::link
