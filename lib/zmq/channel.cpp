#include "zmq/channel.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// Read under one hold of the lock; senders get their chance in between.
constexpr std::size_t frames_per_turn = 32;
/// Frames that are given as one are no more than this together: what they cause waits for the last.
constexpr std::size_t bytes_together_max = std::size_t{16} << 10;

/// Which frames are followed by one that is given right behind.
void join_small(std::vector<Received>& frames) noexcept {
  std::size_t together = 0;
  for (std::size_t at = 0; at + 1 < frames.size(); ++at) {
    const Received& next = frames[at + 1];
    together += frames[at].wire_bytes;
    frames[at].more = together + next.wire_bytes <= bytes_together_max && !next.is_multipart &&
                      !next.message->bytes().empty() && next.routing_id == frames[at].routing_id;
    if (!frames[at].more) together = 0;
  }
}

}  // namespace

Result<void> Channel::watch() noexcept {
  const std::lock_guard lock{mutex_};
  if (auto added = hub_.pump.add(socket_.descriptor(), key_); !added) return added;
  return hub_.pump.add(socket_.monitor_descriptor(), key_);
}

Sent Channel::send(const std::shared_ptr<Connection>& connection, std::span<const std::byte> frame) noexcept {
  if (!connection->is_open.load(std::memory_order_acquire)) return Sent::gone;
  if (!connection->flight->enter(frame.size())) return hub_.want_writable(connection), Sent::full;
  zmq_msg_t message;
  if (!make_message(message, connection->flight, frame)) {
    end(*connection, Error{ErrorCode::no_memory, "no memory for a frame on its way out"});
    return Sent::gone;
  }
  const Sent sent = pass_on(connection, message);
  if (sent != Sent::taken) zmq_msg_close(&message);
  return sent;
}

Sent Channel::give(const std::shared_ptr<Connection>& connection, OutboundFrame frame) noexcept {
  if (!connection->is_open.load(std::memory_order_acquire)) return Sent::gone;
  if (!connection->flight->enter(frame.size, frame.is_last)) return hub_.want_writable(connection), Sent::full;
  zmq_msg_t message;
  if (!make_message(message, connection->flight, frame)) {
    end(*connection, Error{ErrorCode::no_memory, "no memory for a frame on its way out"});
    return Sent::gone;
  }
  const Sent sent = pass_on(connection, message);
  if (sent == Sent::taken) return sent;
  // Closing the message must not free the frame, which is the caller's.
  give_up(message);
  return sent;
}

Sent Channel::pass_on(const std::shared_ptr<Connection>& connection, zmq_msg_t& message) noexcept {
  Transmitted result = Transmitted::no_peer;
  bool has_arrivals = false;
  {
    const std::lock_guard lock{mutex_};
    if (socket_ && connection->is_open.load(std::memory_order_relaxed)) {
      result = try_twice(*connection, message);
      // Sending may have eaten the wake-up for something that came in meanwhile.
      has_arrivals = (socket_.events() & ZMQ_POLLIN) != 0;
    }
  }
  if (has_arrivals) hub_.want_turn(*this);
  if (result == Transmitted::done) return Sent::taken;
  if (result == Transmitted::no_room) return hub_.want_writable(connection), Sent::full;
  lose(*connection);
  return Sent::gone;
}

Channel::Transmitted Channel::try_twice(const Connection& connection, zmq_msg_t& message) noexcept {
  Transmitted result = transmit(connection, message);
  if (result != Transmitted::no_room) return result;
  // ZeroMQ learns of free room only when it looks at its mailbox, and a send does so rarely.
  static_cast<void>(socket_.events());
  return transmit(connection, message);
}

void Channel::end(Connection& connection, Error why) noexcept {
  {
    const std::lock_guard lock{mutex_};
    if (!connection.is_open.exchange(false, std::memory_order_acq_rel)) return;
    connection.ended.emplace(std::move(why));
  }
  has_endings_.store(true, std::memory_order_release);
  hub_.want_turn(*this);
}

void Channel::lose(Connection& connection) noexcept {
  connection.is_lost.store(true, std::memory_order_release);
  connection.is_open.store(false, std::memory_order_release);
  has_endings_.store(true, std::memory_order_release);
  hub_.want_turn(*this);
}

void Channel::close(Duration linger) noexcept {
  const std::lock_guard lock{mutex_};
  if (!socket_) return;
  hub_.pump.remove(socket_.descriptor());
  hub_.pump.remove(socket_.monitor_descriptor());
  socket_.close(linger);
}

bool Channel::receive(std::vector<Received>& frames, bool with_routing_id) {
  const bool has_more = read(frames, with_routing_id);
  join_small(frames);
  return has_more;
}

bool Channel::read(std::vector<Received>& frames, bool with_routing_id) {
  frames.reserve(frames_per_turn);
  const std::lock_guard lock{mutex_};
  if (!socket_) return false;
  while (frames.size() != frames_per_turn) {
    auto message = std::make_unique<ReceivedMessage>();
    if (!socket_.receive(message->raw())) return false;
    Received& received = frames.emplace_back();
    if (with_routing_id) {
      const auto id = message->bytes();
      received.routing_id.assign(reinterpret_cast<const char*>(id.data()), id.size());
      // The parts of one message are there together.
      if (message->has_more() && !socket_.receive(message->raw())) return frames.pop_back(), false;
    }
    received.is_multipart = message->has_more();
    received.wire_bytes = message->wire_bytes();
    ReceivedMessage rest;
    for (bool more = received.is_multipart; more && socket_.receive(rest.raw()); more = rest.has_more())
      received.wire_bytes += rest.wire_bytes();
    received.message = std::move(message);
  }
  return true;
}

void Channel::deliver(Connection& connection, Received& received) noexcept {
  if (received.is_multipart) {
    hub_.multipart_refused.fetch_add(1, std::memory_order_relaxed);
    return end(connection, Error{ErrorCode::malformed, "the peer sent a message of several parts, which Midplane never does"});
  }
  // An empty frame is ZeroMQ's probe.
  if (received.message->bytes().empty()) return;
  const bool is_heard = connection.is_open.load(std::memory_order_acquire) || connection.is_lost.load(std::memory_order_acquire);
  if (connection.is_down || !is_heard) {
    hub_.frames_ignored.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  hub_.inbound->frame(connection.id, received.hand_over());
}

void Channel::tell_down(Connection& connection, const Error& why) noexcept {
  if (std::exchange(connection.is_down, true)) return;
  connection.is_open.store(false, std::memory_order_release);
  hub_.forget(connection.id);
  hub_.inbound->down(connection.id, why);
}

std::optional<Error> Channel::ended(const Connection& connection) {
  const std::lock_guard lock{mutex_};
  return connection.ended;
}

}  // namespace midplane::inline v0::zmq
