#pragma once
/// A message of ZeroMQ that owns itself and can be handed to the link with its bytes in place.

#include <zmq.h>

#include <cstdint>
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
  /// What ZeroMQ's protocol made of it.
  [[nodiscard]] std::size_t wire_bytes() noexcept {
    const std::size_t size = zmq_msg_size(&message_);
    return size + (size > UINT8_MAX ? 9 : 2);
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
  std::size_t wire_bytes = 0;  ///< of all parts
  bool more = false;           ///< the next one is of the same connection, and they are small

  /// The message stays where it is until the link lets go of it, on whatever thread.
  [[nodiscard]] InboundFrame hand_over() {
    const auto bytes = message->bytes();
    return {bytes, [owner = std::move(message)]() mutable { owner.reset(); }, more};
  }
};

}  // namespace midplane::inline v0::zmq
