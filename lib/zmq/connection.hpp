#pragma once
/// One connection: what `send` needs on any thread, and what only the pump knows.

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <midplane/extend/transport.hpp>

#include "zmq/flight.hpp"

namespace midplane::inline v0::zmq {

class Channel;

struct Connection {
  ConnectionId id{};
  std::shared_ptr<Channel> channel;
  std::string routing_id;  ///< empty on the dialling side
  std::shared_ptr<Flight> flight;
  std::shared_ptr<Connection> next_blocked;  ///< guarded by the hub

  /// False as soon as anybody knows that it is over: `send` answers gone.
  std::atomic<bool> is_open{true};
  /// The other side has gone; what it had sent is still delivered, then `down` is told.
  std::atomic<bool> is_lost{false};
  /// Why this side ends it; guarded by the channel's lock.
  std::optional<Error> ended;
  /// What its messages took on the way here, as far as they were read. The pump's own.
  std::uint64_t read_bytes = 0;
  /// `down` was told; what still comes is ignored. The pump's own.
  bool is_down = false;
};

}  // namespace midplane::inline v0::zmq
