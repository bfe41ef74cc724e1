#include "zmq/dialled.hpp"

#include <filesystem>

#include "zmq/endpoint.hpp"
#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// Of a file it can be said which of the two it is: that it is not there, or that nobody listens at it.
Error nobody_there(const std::string& address) {
  const auto endpoint = parse_endpoint(address, Side::dials);
  if (!endpoint || endpoint->scheme != Endpoint::Scheme::ipc)
    return {ErrorCode::transport_failed, "nobody answers there: refused or unreachable"};
  std::error_code unknown;
  if (std::filesystem::exists(endpoint->path, unknown) || unknown)
    return {ErrorCode::transport_failed, "nobody answers there: the file is left over, or may not be written by this user"};
  if (endpoint->path.front() != '/')
    return {ErrorCode::transport_failed, "there is no such file in this program's working directory; write an absolute path"};
  return {ErrorCode::transport_failed, "there is no such file: nobody listens there"};
}

Error closed_by_peer() { return Error{ErrorCode::peer_lost, "the other side has closed the connection"}; }

}  // namespace

Dialled::Dialled(Hub& hub, Socket socket, std::string endpoint, Duration timeout)
    : Channel{hub, std::move(socket), std::move(endpoint)}, gives_up_{std::chrono::steady_clock::now() + timeout} {}

Result<void> Dialled::connect(const std::string& address) noexcept {
  const std::lock_guard lock{mutex_};
  if (zmq_connect(socket_.raw(), address.c_str()) == 0) return ok();
  return system_error("ZeroMQ can not dial this endpoint", zmq_errno(), address);
}

bool Dialled::turn() {
  if (is_finished_) return false;
  read_monitor();
  if (!lost_ && connection_ && connection_->is_lost.load(std::memory_order_acquire)) lost_ = closed_by_peer();
  // What was known before everything was read is over when everything is read.
  const bool is_lost = lost_.has_value();
  const bool has_more = receive(frames_, false);
  // The frame and the news of the handshake may overtake each other.
  if (!frames_.empty()) come_up();
  for (Received& received : frames_) deliver(*connection_, received);
  frames_.clear();
  if (connection_) {
    if (const auto why = ended(*connection_)) return finish(*why, hub_.linger), false;
  }
  if (is_lost && !has_more) return finish(*lost_, Duration::zero()), false;
  return has_more;
}

void Dialled::alarm() {
  if (is_finished_ || connection_) return;
  const auto left = gives_up_ - std::chrono::steady_clock::now();
  if (left > Duration::zero()) return hub_.pump.alarm_within(left);
  finish(Error{ErrorCode::transport_failed,
               "no answer in time: no such host, unreachable, or something else than Midplane listens there"},
         Duration::zero());
}

void Dialled::read_monitor() {
  MonitorEvent event;
  while (socket_.next_event(event)) {
    switch (event.what) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: come_up(); break;
      case ZMQ_EVENT_CLOSED:
        if (!lost_) lost_ = nobody_there(endpoint_);
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        lost_ = Error{ErrorCode::denied, "the other side does not accept our key"};
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        if (!lost_) lost_ = Error{ErrorCode::transport_failed, "what listens there does not speak our ZeroMQ protocol"};
        break;
      case ZMQ_EVENT_DISCONNECTED:
        if (!lost_) lost_ = closed_by_peer();
        break;
      default: break;
    }
  }
  if (lost_ && connection_ && connection_->is_open) lose(*connection_);
}

void Dialled::come_up() {
  if (connection_) return;
  connection_ = hub_.connect(shared_from_this(), {});
  hub_.inbound->up(connection_->id, true, endpoint_);
}

void Dialled::finish(const Error& why, Duration linger) {
  is_finished_ = true;
  close(linger);
  hub_.remove(*this);
  if (connection_) tell_down(*connection_, why);
  else hub_.inbound->dial_failed(endpoint_, why);
  abandon();
}

Channel::Transmitted Dialled::transmit(const Connection&, zmq_msg_t& message) noexcept {
  while (zmq_msg_send(&message, socket_.raw(), ZMQ_DONTWAIT) < 0) {
    if (zmq_errno() == EINTR) continue;
    return zmq_errno() == EAGAIN ? Transmitted::no_room : Transmitted::no_peer;
  }
  return Transmitted::done;
}

}  // namespace midplane::inline v0::zmq
