#include "zmq/transport.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include "zmq/bound.hpp"
#include "zmq/descriptors.hpp"
#include "zmq/dialled.hpp"
#include "zmq/frame_memory.hpp"
#include "zmq/patient.hpp"
#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// A dial is two sockets and so is a listener: enough for 4096 of them.
constexpr int sockets_max = 8192;
constexpr std::size_t frames_max = 1 << 20;
/// More than the system usually keeps of a connection before ZeroMQ reads it.
constexpr std::uint64_t kernel_bytes = std::uint64_t{16} << 20;
/// When memory has run out, how soon to look again.
constexpr Duration memory_pause = std::chrono::milliseconds{20};

Error stopped() { return Error{ErrorCode::closed, "the transport is not running"}; }
Error no_memory() { return Error{ErrorCode::no_memory, "no memory for another connection"}; }

}  // namespace

Result<void> ZmqTransport::check_options() const {
  if (options_.send_frames < 1 || options_.send_frames > frames_max || options_.receive_frames < 1 ||
      options_.receive_frames > frames_max)
    return Error{ErrorCode::invalid_option, "send_frames and receive_frames are 1 to 1048576"};
  if (options_.linger < Duration::zero() || options_.linger > std::chrono::minutes{1})
    return Error{ErrorCode::invalid_option, "linger is 0 to 1 minute"};
  if (options_.dial_timeout < std::chrono::milliseconds{1} || options_.dial_timeout > std::chrono::hours{1})
    return Error{ErrorCode::invalid_option, "dial_timeout is 1 ms to 1 hour"};
  for (const std::string& endpoint : options_.listen)
    if (auto admitted = admit_endpoint(endpoint, Side::listens, options_.insecure); !admitted) return admitted.error();
  for (const std::string& endpoint : options_.peers)
    if (auto admitted = admit_endpoint(endpoint, Side::dials, options_.insecure); !admitted) return admitted.error();
  return ok();
}

Result<void> ZmqTransport::start(TransportContext context) try {
  if (auto checked = check_options(); !checked) return checked;
  const std::lock_guard lock{mutex_};
  if (auto open = require_standard_descriptors(); !open) return open;
  if (auto enough = require_descriptors(context_descriptors); !enough) return enough;
  hub_.inbound = &context.inbound;
  hub_.send_frames = options_.send_frames;
  hub_.linger = options_.linger;
  frame_bytes_max_ = context.frame_bytes_max;
  hub_.unread_bytes_max = 2 * context.frame_bytes_max + kernel_bytes;
  keep_frame_memory();
  const PatientThreads started_here{!options_.preempt};
  if (auto opened = open_context(); !opened) return opened;
  return pump_.start(context.executor, context.wait);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> ZmqTransport::open_context() {
  context_ = zmq_ctx_new();
  if (context_ == nullptr) return system_error("ZeroMQ can not make a context", zmq_errno());
  zmq_ctx_set(context_, ZMQ_BLOCKY, 0);
  // The monitors' order of events holds for one I/O thread only.
  zmq_ctx_set(context_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, std::min(sockets_max, zmq_ctx_get(context_, ZMQ_SOCKET_LIMIT)));
  // Its threads begin with its first socket; now, so that they inherit what was arranged for them.
  void* const first = zmq_socket(context_, ZMQ_PAIR);
  if (first == nullptr) return system_error("ZeroMQ can not start its threads", zmq_errno());
  zmq_close(first);
  return ok();
}

Result<Socket> ZmqTransport::open_socket(int type, const Endpoint& endpoint) {
  if (context_ == nullptr) return stopped();
  if (auto enough = require_descriptors(socket_descriptors); !enough) return enough.error();
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options_.dial_timeout).count();
  // ZeroMQ hears only of every other half of a pipe that it is empty again: twice the frames, and one for the probe.
  return Socket::open(context_, type, hub_.next_number(),
                      {.frame_bytes_max = frame_bytes_max_,
                       .send_frames = static_cast<int>(2 * full_frames_factor * options_.send_frames + 1),
                       .receive_frames = static_cast<int>(options_.receive_frames),
                       .connect_milliseconds = static_cast<int>(timeout),
                       .is_ipv6 = endpoint.is_ipv6});
}

Result<std::string> ZmqTransport::listen(std::string_view endpoint) try {
  return try_listen(endpoint);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<std::string> ZmqTransport::try_listen(std::string_view text) {
  auto endpoint = admit_endpoint(text, Side::listens, options_.insecure);
  if (!endpoint) return endpoint.error();
  endpoint->make_absolute();
  const std::lock_guard lock{mutex_};
  auto socket = open_socket(ZMQ_ROUTER, *endpoint);
  if (!socket) return socket.error();
  IpcClaim claim;
  if (endpoint->scheme == Endpoint::Scheme::ipc) {
    auto taken = IpcClaim::take(endpoint->path);
    if (!taken) return taken.error();
    claim = std::move(*taken);
  }
  if (zmq_bind(socket->raw(), endpoint->address().c_str()) != 0)
    return system_error("this endpoint can not be listened at", zmq_errno(), endpoint->address());
  std::string address = socket->last_endpoint();
  auto channel = std::make_shared<Bound>(hub_, std::move(*socket), address, std::move(claim));
  if (auto added = hub_.add(channel); !added) return added.error();
  return address;
}

Result<void> ZmqTransport::dial(std::string_view endpoint) try {
  return try_dial(endpoint);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> ZmqTransport::try_dial(std::string_view text) {
  auto endpoint = admit_endpoint(text, Side::dials, options_.insecure);
  if (!endpoint) return endpoint.error();
  const std::lock_guard lock{mutex_};
  auto socket = open_socket(ZMQ_DEALER, *endpoint);
  if (!socket) return socket.error();
  auto channel = std::make_shared<Dialled>(hub_, std::move(*socket), std::string{text}, options_.dial_timeout);
  if (auto connecting = channel->connect(endpoint->address()); !connecting) return connecting;
  if (auto added = hub_.add(channel); !added) return added;
  pump_.alarm_within(options_.dial_timeout);
  return ok();
}

Sent ZmqTransport::send(ConnectionId id, std::span<const std::byte> frame) noexcept {
  const std::shared_ptr<Connection> connection = hub_.find(id);
  return connection ? connection->channel->send(connection, frame) : Sent::gone;
}

Sent ZmqTransport::give(ConnectionId id, OutboundFrame frame) noexcept {
  const std::shared_ptr<Connection> connection = hub_.find(id);
  return connection ? connection->channel->give(connection, frame) : Sent::gone;
}

void ZmqTransport::disconnect(ConnectionId id) noexcept {
  if (const std::shared_ptr<Connection> connection = hub_.find(id))
    connection->channel->end(*connection, Error{ErrorCode::closed, "this side has closed the connection"});
}

TransportCounts ZmqTransport::counts() const noexcept {
  return {.frames_ignored = hub_.frames_ignored.load(std::memory_order_relaxed),
          .multipart_refused = hub_.multipart_refused.load(std::memory_order_relaxed),
          .endless_cut = hub_.endless_cut.load(std::memory_order_relaxed),
          .unheard = hub_.unheard.load(std::memory_order_relaxed)};
}

void ZmqTransport::turn(std::span<const std::uint64_t> keys, bool alarm) noexcept {
  for (const std::uint64_t key : keys)
    if (const auto channel = hub_.channel(key)) serve(*channel);
  auto wanting = hub_.take_wanting();
  while (wanting) {
    const auto channel = std::move(wanting);
    wanting = std::move(channel->next_wanting);
    channel->wants_turn.store(false, std::memory_order_release);
    serve(*channel);
  }
  if (alarm) {
    try {
      for (const auto& channel : hub_.channels()) {
        channel->alarm();
        serve(*channel);
      }
    } catch (const std::bad_alloc&) {
      pump_.alarm_within(memory_pause);
    }
  }
  hub_.tell_writable();
}

void ZmqTransport::serve(Channel& channel) noexcept {
  try {
    if (channel.turn()) hub_.want_turn(channel);
  } catch (const std::bad_alloc&) {
    // Nothing is lost: the channel goes on where it was when there is memory again.
    pump_.alarm_within(memory_pause);
  }
}

void ZmqTransport::stop() noexcept {
  pump_.stop();
  const std::lock_guard lock{mutex_};
  if (context_ == nullptr) return;
  // Senders that come now find no connection.
  auto channels = hub_.take_all();
  for (auto& entry : channels) entry.second->close(options_.linger);
  // Returns when ZeroMQ has written what it had or the linger is over; then no callback of ours can run any more.
  while (zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) continue;
  context_ = nullptr;
  for (auto& entry : channels) entry.second->abandon();
}

std::unique_ptr<Transport> transport(TransportOptions options) {
  return std::make_unique<ZmqTransport>(std::move(options));
}

}  // namespace midplane::inline v0::zmq
