#pragma once
/// One ZeroMQ socket under one lock, and the connections it carries. Threads that send take the lock and write; the pump
/// takes it to read, and calls the link only after it has let go.

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <midplane/extend/transport.hpp>

#include "zmq/hub.hpp"
#include "zmq/received.hpp"
#include "zmq/socket.hpp"

namespace midplane::inline v0::zmq {

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(Hub& hub, Socket socket, std::string endpoint)
      : hub_{hub}, socket_{std::move(socket)}, endpoint_{std::move(endpoint)}, key_{hub.next_number()} {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  [[nodiscard]] std::uint64_t key() const noexcept { return key_; }
  /// Lets the pump wait for it.
  Result<void> watch() noexcept;

  /// Any thread.
  [[nodiscard]] Sent send(const std::shared_ptr<Connection>& connection, std::span<const std::byte> frame) noexcept;
  [[nodiscard]] Sent give(const std::shared_ptr<Connection>& connection, OutboundFrame frame) noexcept;
  /// Any thread: `down` follows with this reason.
  void end(Connection& connection, Error why) noexcept;
  /// Any thread: the other side has gone; `down` follows when all that it had sent is delivered.
  void lose(Connection& connection) noexcept;
  /// After it, nothing of ZeroMQ is left here.
  void close(Duration linger) noexcept;

  /// The pump's: tells what has happened. True when there is more to read.
  [[nodiscard]] virtual bool turn() = 0;
  virtual void alarm() = 0;
  /// Lets go of the connections, which hold this channel. After the pump has stopped, or by the pump.
  virtual void abandon() noexcept = 0;

  std::atomic<bool> wants_turn{false};
  std::shared_ptr<Channel> next_wanting;  ///< guarded by the hub

 protected:
  enum class Transmitted : std::uint8_t { done, no_room, no_peer };
  /// Whether it was taken; a message that was not is the caller's still.
  [[nodiscard]] Sent pass_on(const std::shared_ptr<Connection>& connection, zmq_msg_t& message) noexcept;
  /// Under the lock.
  [[nodiscard]] virtual Transmitted transmit(const Connection& connection, zmq_msg_t& message) noexcept = 0;
  [[nodiscard]] Transmitted try_twice(const Connection& connection, zmq_msg_t& message) noexcept;

  /// Reads up to a turn's worth. True when there is more; after false, everything that had come before the call is read.
  /// When memory runs out it throws, and what was read stays in `frames` for the next call.
  [[nodiscard]] bool receive(std::vector<Received>& frames, bool with_routing_id);
  /// `receive` without saying which frames belong together.
  [[nodiscard]] bool read(std::vector<Received>& frames, bool with_routing_id);
  /// Gives a frame to the link, unless its connection is over or it breaks the one-part rule.
  void deliver(Connection& connection, Received& received) noexcept;
  /// Tells `down` once.
  void tell_down(Connection& connection, const Error& why) noexcept;
  [[nodiscard]] std::optional<Error> ended(const Connection& connection);

  Hub& hub_;
  std::mutex mutex_;  ///< guards the socket, not its monitor, which is the pump's
  Socket socket_;
  const std::string endpoint_;
  std::vector<Received> frames_;  ///< the pump's
  std::atomic<bool> has_endings_{false};  ///< some connection has ended or was lost

 private:
  const std::uint64_t key_;
};

}  // namespace midplane::inline v0::zmq
