#pragma once
/// What the channels of one transport share: who is connected, who wants a turn, and the way up to the link.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include <midplane/extend/transport.hpp>

#include "zmq/connection.hpp"
#include "zmq/flight.hpp"
#include "zmq/pump.hpp"

namespace midplane::inline v0::zmq {

class Channel;

class Hub {
 public:
  explicit Hub(Pump& its_pump) noexcept : pump{its_pump}, in_flight{.pump = its_pump} {}

  Inbound* inbound = nullptr;  ///< set by start, called on the pump only
  Pump& pump;
  FlightTotal in_flight;
  std::size_t send_frames = 0;
  Duration linger{};
  std::atomic<std::uint64_t> frames_ignored{0};
  std::atomic<std::uint64_t> multipart_refused{0};
  std::atomic<std::uint64_t> endless_cut{0};
  std::atomic<std::uint64_t> unheard{0};
  std::uint64_t unread_bytes_max = 0;  ///< set by start; of a connection whose bytes become no message

  [[nodiscard]] std::uint64_t next_number() noexcept { return numbers_.fetch_add(1, std::memory_order_relaxed); }

  /// Any thread. Null when there is no such connection any more.
  [[nodiscard]] std::shared_ptr<Connection> find(ConnectionId id) const noexcept;
  std::shared_ptr<Connection> connect(std::shared_ptr<Channel> channel, std::string routing_id);
  void forget(ConnectionId id) noexcept;

  Result<void> add(const std::shared_ptr<Channel>& channel);
  void remove(Channel& channel) noexcept;
  [[nodiscard]] std::shared_ptr<Channel> channel(std::uint64_t key) const noexcept;
  [[nodiscard]] std::vector<std::shared_ptr<Channel>> channels() const;
  /// Empties the hub for good; the channels still have to be closed.
  [[nodiscard]] std::unordered_map<std::uint64_t, std::shared_ptr<Channel>> take_all() noexcept;

  /// Any thread, never blocks for long: the pump serves this channel soon.
  void want_turn(Channel& channel) noexcept;
  /// Any thread: `writable` follows when half of the connection's places are free.
  void want_writable(std::shared_ptr<Connection> connection) noexcept;

  [[nodiscard]] std::shared_ptr<Channel> take_wanting() noexcept;
  void tell_writable() noexcept;

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Channel>> channels_;
  std::atomic<std::uint64_t> numbers_{1};
  std::mutex wishes_mutex_;
  // Linked through their own members: wishing must not allocate.
  std::shared_ptr<Channel> wanting_;
  std::shared_ptr<Connection> blocked_;
};

}  // namespace midplane::inline v0::zmq
