#pragma once
/// The listening side: one ROUTER socket, one endpoint, many connections.
///
/// ZeroMQ names a peer by a routing id and its monitor names a connection by its descriptor; a message carries both, so
/// the first one joins them. A descriptor is used again after its connection is closed: the generation tells the uses
/// apart. The monitor says ACCEPTED before anything of a connection can be read, and DISCONNECTED before its descriptor is
/// closed, in one order for all connections, because the context has one I/O thread.
///
/// ZeroMQ keeps the parts of a message until the last one has come, without any bound, and ends no connection for us. So
/// the bytes that the system has received over each connection are compared with those of the messages that came out of
/// it, and a connection that only takes in is shut down by its descriptor. Over tcp only: the system does not count what
/// comes over a Unix socket, and who can reach that is the user itself.

#include <unordered_map>

#include "zmq/channel.hpp"
#include "zmq/endpoint.hpp"
#include "zmq/ipc_claim.hpp"

namespace midplane::inline v0::zmq {

class Bound final : public Channel {
 public:
  /// `socket` is bound to `address` already.
  Bound(Hub& hub, Socket socket, std::string address, IpcClaim claim)
      : Channel{hub, std::move(socket), std::move(address)}, claim_{std::move(claim)} {}

  [[nodiscard]] const std::string& address() const noexcept { return endpoint_; }

  [[nodiscard]] bool turn() override;
  void alarm() override;
  void abandon() noexcept override;

 private:
  using Peers = std::unordered_map<std::string, std::shared_ptr<Connection>>;
  /// The uses of one descriptor so far.
  struct Use {
    std::uint64_t accepted = 0;
    std::uint64_t disconnected = 0;
    std::shared_ptr<Connection> connection;  ///< of the latest use; null until its first message
    std::uint64_t looked_at = UINT64_MAX;    ///< what had been read of it when it was looked at last
  };

  Transmitted transmit(const Connection& connection, zmq_msg_t& message) noexcept override;
  void read_monitor();
  void take(Received& received);
  /// Null when there is no memory for another connection.
  [[nodiscard]] std::shared_ptr<Connection> meet(Received& received);
  void tell_endings(bool is_drained);
  void pause_when_descriptors_run_out() noexcept;
  bool cut_endless() noexcept;

  IpcClaim claim_;
  Peers peers_;
  std::unordered_map<int, Use> uses_;
  bool is_paused_ = false;
};

}  // namespace midplane::inline v0::zmq
