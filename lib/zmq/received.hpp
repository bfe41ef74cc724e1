#pragma once
/// A message of ZeroMQ that owns itself and can be handed to the link with its bytes in place.

#include <zmq.h>

#include <memory>
#include <string>

#include <midplane/extend/transport.hpp>

namespace midplane::inline v0::zmq {

class ReceivedMessage {
 public:
  ReceivedMessage() noexcept { zmq_msg_init(&message_); }
  ReceivedMessage(const ReceivedMessage&) = delete;
  ReceivedMessage& operator=(const ReceivedMessage&) = delete;
  ~ReceivedMessage() { zmq_msg_close(&message_); }

  [[nodiscard]] zmq_msg_t& raw() noexcept { return message_; }
  [[nodiscard]] std::span<const std::byte> bytes() noexcept {
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  [[nodiscard]] bool has_more() noexcept { return zmq_msg_more(&message_) != 0; }
  /// The descriptor of the connection that brought it, -1 when ZeroMQ does not say.
  [[nodiscard]] int descriptor() noexcept { return zmq_msg_get(&message_, ZMQ_SRCFD); }

 private:
  zmq_msg_t message_;
};

struct Received {
  std::unique_ptr<ReceivedMessage> message;
  std::string routing_id;
  bool is_multipart = false;

  /// The message stays where it is until the link lets go of it, on whatever thread.
  [[nodiscard]] InboundFrame hand_over() {
    const auto bytes = message->bytes();
    return {bytes, [owner = std::move(message)]() mutable { owner.reset(); }};
  }
};

}  // namespace midplane::inline v0::zmq
