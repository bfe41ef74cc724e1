#include <cstring>
#include <new>

#include "bus/sender.hpp"

namespace midplane::inline v0::detail {
namespace {

wire::Envelope* whole(EnvelopeHead* head) noexcept { return static_cast<wire::Envelope*>(head); }

static_assert(Draft::first_room == wire::block_bytes[1] - sizeof(wire::Envelope));
static_assert(Draft::first_room_with_extra <= wire::block_bytes[2] - sizeof(wire::Envelope) - sizeof(wire::Extra));
static_assert(Draft::first_room_with_extra % 16 == 0);

}  // namespace

void Draft::drop() noexcept {
  if (outgrown_) release(outgrown_);
  if (envelope_) release(envelope_);
}

std::uint8_t* Draft::allocate(std::size_t bytes) {
  std::uint8_t* const room = take_room(bytes);
  return room ? room : allocate_in_vain(bytes);
}

/// The end of the block is the end of the room: FlatBuffers are built downwards. Null: there is a fault.
inline std::uint8_t* Draft::take_room(std::size_t bytes) noexcept {
  // A builder doubles its room before it knows that it needs it.
  const bool is_too_large = bytes > 2 * sender_.message_bytes_max + first_room;
  if (fault_ == ErrorCode{} && !is_too_large && !sender_.is_inherited()) [[likely]] {
    if (wire::Envelope* envelope = sender_.depot->acquire(bytes, with_extra_, sender_.alone)) [[likely]] {
      outgrown_ = envelope_;
      envelope_ = envelope;
      return reinterpret_cast<std::uint8_t*>(wire::end_of(envelope, bytes, with_extra_) - bytes);
    }
    fault_ = ErrorCode::no_memory;
  }
  if (fault_ == ErrorCode{} && is_too_large) fault_ = ErrorCode::too_large;
  if (sender_.is_inherited()) fault_ = ErrorCode::closed;
  return nullptr;
}

/// A builder can not be told to stop: it goes on in plain memory and the publish answers the fault. Where there is none
/// either it ends as with the allocator of its own.
std::uint8_t* Draft::allocate_in_vain(std::size_t bytes) {
  std::unique_ptr<std::uint8_t[]> larger{new std::uint8_t[bytes + 16]};
  spill_.swap(larger);
  spilled_ = std::move(larger);
  return spill_.get();
}

void Draft::deallocate(std::uint8_t*, std::size_t) {
  if (outgrown_) release(std::exchange(outgrown_, nullptr));
  spilled_.reset();
}

void Draft::copy(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() > sender_.message_bytes_max) {
    fault_ = ErrorCode::too_large;
    return;
  }
  const std::size_t room = (bytes.size() + 15) & ~std::size_t{15};
  std::uint8_t* const block = take_room(room == 0 ? 16 : room);
  if (!block) return;
  if (!bytes.empty()) std::memcpy(block, bytes.data(), bytes.size());
  seal(block, bytes.size());
}

void Draft::adopt(Owned owned) noexcept {
  if (sender_.is_inherited()) fault_ = ErrorCode::closed;
  else if (owned.bytes.size() > sender_.message_bytes_max) fault_ = ErrorCode::too_large;
  else if (!(envelope_ = sender_.depot->acquire(0, true, sender_.alone))) fault_ = ErrorCode::no_memory;
  if (fault_ != ErrorCode{}) {
    if (owned.release) owned.release();
    return;
  }
  whole(envelope_)->extra->release = std::move(owned.release);
  payload_ = owned.bytes.data() ? owned.bytes.data() : whole(envelope_)->block();
  size_ = owned.bytes.size();
}

void Draft::share(const AnyMessage& message) noexcept {
  if (!message || sender_.is_inherited()) {
    fault_ = ErrorCode::closed;
    return;
  }
  if (!(envelope_ = sender_.depot->acquire(0, true, sender_.alone))) {
    fault_ = ErrorCode::no_memory;
    return;
  }
  // Of a forwarded message the first owner of the payload is kept, so that passing it on and on chains nothing up.
  const wire::Extra* extra = whole(message.envelope())->extra;
  EnvelopeHead* owner = extra && extra->shares ? extra->shares : message.envelope();
  acquire(owner);
  whole(envelope_)->extra->shares = owner;
  payload_ = message.envelope()->payload;
  size_ = message.envelope()->size;
}

Result<EnvelopeHead*> Draft::finish() noexcept {
  if (EnvelopeHead* const sound = take_sound(sender_.message_bytes_max)) return sound;
  if (fault_ == ErrorCode{}) {
    if (!payload_ || !envelope_) return Error{ErrorCode::malformed, "the codec did not seal a payload"};
    fault_ = ErrorCode::too_large;
  }
  switch (fault_) {
    case ErrorCode::too_large:
      return Error{ErrorCode::too_large, "the payload is over Limits::message_bytes_max; raise it or send less at once"};
    case ErrorCode::closed:
      if (sender_.is_inherited()) return closed_handle();
      return Error{ErrorCode::closed, "the message to forward was moved from"};
    default:
      return Error{ErrorCode::no_memory, "the payload memory of the bus is used up; receivers hold it, or raise "
                                         "Limits::payload_memory_bytes_max"};
  }
}

Error closed_handle() noexcept { return {ErrorCode::closed, "the bus or this handle is closed"}; }
Error malformed_bytes() noexcept { return {ErrorCode::malformed, "the bytes are no valid value of the type"}; }
Error unset_field(std::string_view name) {
  return Error{ErrorCode::malformed, "a part that the schema requires is not set"}.with(name);
}

Result<void> apply_headers(wire::Envelope& envelope, const Headers* headers) noexcept {
  if (!headers) return ok();
  if (auto valid = validate(*headers); !valid) return valid;
  try {
    envelope.extra->headers = new Headers{*headers};
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::no_memory, "no memory for the headers"};
  }
  return ok();
}

}  // namespace midplane::inline v0::detail
