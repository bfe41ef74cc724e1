#pragma once
/// The dialling side: one DEALER socket, one attempt, at most one connection.

#include <chrono>

#include "zmq/channel.hpp"

namespace midplane::inline v0::zmq {

class Dialled final : public Channel {
 public:
  /// `endpoint` as the caller wrote it.
  Dialled(Hub& hub, Socket socket, std::string endpoint, Duration timeout);
  /// Starts the attempt; once, before the pump knows this channel.
  Result<void> connect(const std::string& address) noexcept;

  [[nodiscard]] bool turn() override;
  void alarm() override;
  void abandon() noexcept override { connection_.reset(); }

 private:
  Transmitted transmit(const Connection& connection, zmq_msg_t& message) noexcept override;
  void read_monitor();
  void come_up();
  void finish(const Error& why, Duration linger);

  const std::chrono::steady_clock::time_point gives_up_;
  std::shared_ptr<Connection> connection_;
  std::optional<Error> lost_;
  bool is_finished_ = false;
};

}  // namespace midplane::inline v0::zmq
