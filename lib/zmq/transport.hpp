#pragma once
/// The Transport over ZeroMQ: makes the channels and hands each call to the right one.

#include <memory>
#include <mutex>

#include <midplane/zmq.hpp>

#include "zmq/endpoint.hpp"
#include "zmq/hub.hpp"
#include "zmq/socket.hpp"

namespace midplane::inline v0::zmq {

class ZmqTransport final : public Transport, private Pumped {
 public:
  explicit ZmqTransport(TransportOptions options) : options_{std::move(options)} {}
  ~ZmqTransport() { stop(); }

  Result<void> start(TransportContext context) override;
  std::span<const std::string> listen_endpoints() const noexcept override { return options_.listen; }
  std::span<const std::string> dial_endpoints() const noexcept override { return options_.peers; }
  Result<std::string> listen(std::string_view endpoint) override;
  Result<void> dial(std::string_view endpoint) override;
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override;
  Sent give(ConnectionId id, OutboundFrame frame) noexcept override;
  void disconnect(ConnectionId id) noexcept override;
  bool flushed() const noexcept override { return hub_.in_flight.frames.load(std::memory_order_acquire) == 0; }
  TransportCounts counts() const noexcept override;
  void stop() noexcept override;

 private:
  void turn(std::span<const std::uint64_t> keys, bool alarm) noexcept override;
  void serve(Channel& channel) noexcept;
  Result<void> check_options() const;
  Result<void> open_context();
  Result<Socket> open_socket(int type, const Endpoint& endpoint);
  Result<std::string> try_listen(std::string_view endpoint);
  Result<void> try_dial(std::string_view endpoint);

  const TransportOptions options_;
  std::size_t frame_bytes_max_ = 0;
  Pump pump_{*this};
  Hub hub_{pump_};
  std::mutex mutex_;  ///< guards the context against a stop during listen and dial
  void* context_ = nullptr;
};

}  // namespace midplane::inline v0::zmq
