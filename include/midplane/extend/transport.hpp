#pragma once
/// Moves frames between two ends and reads none of them. ZeroMQ is one, the faulty transport of the test kit is
/// another; hello, numbers, confirmations and back-off live above, in the link.
///
/// Law of a Transport:
///  - A connection is `up` once, then any number of `frame` and `writable`, then `down` once; nothing after `down`.
///  - Frames of one connection arrive whole, in the order sent, at most once; what was sent last may be lost with the
///    connection. A transport drops no frame of a living connection.
///  - A frame has 1 to `frame_bytes_max` bytes. A peer that sends a larger one loses its connection.
///  - `send` never blocks. `taken`: the transport has the frame now. `full`: it has not; `writable` or `down` follows
///    once. `gone`: the connection is over; `down` follows or was told.
///  - A connection that the other side has closed brings what was sent before, then `down`.
///  - `give` may treat `is_last` as any other frame; a thread of the transport's own may sleep whatever `wait` says.
///  - Calls into Inbound happen on any thread, one at a time for one connection, and never inside `send`.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/executor.hpp>
#include <midplane/extend/random.hpp>
#include <midplane/function.hpp>
#include <midplane/result.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Names one connection; never used again by the same transport.
enum class ConnectionId : std::uint64_t {};

/// What became of a frame; the law says what follows.
enum class Sent : std::uint8_t { taken, full, gone };

/// Bytes on their way in. `release` gives the memory back; until then `bytes` stay valid and unchanged.
struct InboundFrame {
  std::span<const std::byte> bytes;  ///< one frame, whole
  Function<void()> release;          ///< called once, on any thread
  /// Another frame of this connection is given right behind this one, by the same thread: what both cause may leave
  /// together. Only while they are small; each frame waits for the last.
  bool more = false;
};

/// A frame on its way out together with its memory, which is given back with `free_frame`.
struct OutboundFrame {
  std::byte* memory;  ///< its first byte; read only, of no alignment: a large payload lies in the block of its message
  std::size_t size;  ///< its bytes
  /// One of the last: the transport is stopped right behind them and could not say `writable` any more. Worth a place
  /// beyond its limit, when there is one.
  bool is_last = false;
};
/// Any thread; never blocks.
void free_frame(std::byte* memory) noexcept;

/// The link's side: what a transport may tell. It withholds everything else.
class Inbound {
 public:
  /// `endpoint`: the address that was dialled, or the listening address that was reached.
  virtual void up(ConnectionId id, bool dialled, std::string_view endpoint) noexcept = 0;
  /// One frame, in the order sent.
  virtual void frame(ConnectionId id, InboundFrame frame) noexcept = 0;
  /// There is room again after a `full`.
  virtual void writable(ConnectionId id) noexcept = 0;
  /// The connection is over; nothing of it follows.
  virtual void down(ConnectionId id, const Error& why) noexcept = 0;
  /// A dial that never came up.
  virtual void dial_failed(std::string_view endpoint, const Error& why) noexcept = 0;

 protected:
  ~Inbound() = default;
};

/// What a transport may use of the bus. Everything outlives the transport's `stop`.
struct TransportContext {
  Inbound& inbound;  ///< whom to tell
  Clock& clock;  ///< the bus's time
  Random& random;  ///< the bus's randomness
  Executor& executor;  ///< driven (manual): work arrives through it and the transport starts no thread
  std::size_t frame_bytes_max;  ///< no frame is larger
  Wait wait = Wait::sleep;  ///< how a thread of its own is to wait
};

/// What a transport has refused so far, for `stats`.
struct TransportCounts {
  std::uint64_t frames_ignored = 0;     ///< of connections that were over
  std::uint64_t multipart_refused = 0;  ///< messages of more than one part; each ends its connection
  std::uint64_t endless_cut = 0;        ///< connections cut because what they sent filled memory and became no message
  std::uint64_t unheard = 0;            ///< accepted connections that ended before a message of theirs was read
};

/// Moves frames; the law stands at the head of this file.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Called once, first. May start a thread. After an error the transport is not used.
  virtual Result<void> start(TransportContext context) = 0;
  /// Where to listen, as its options name it. Here or in `dial_endpoints` stands an address: a bus refuses a transport
  /// without any.
  [[nodiscard]] virtual std::span<const std::string> listen_endpoints() const noexcept = 0;
  /// Where to dial, as its options name it; the link dials, again and again, with back-off.
  [[nodiscard]] virtual std::span<const std::string> dial_endpoints() const noexcept = 0;

  /// Returns the address as others can dial it (a port of 0 is replaced by the one chosen).
  virtual Result<std::string> listen(std::string_view endpoint) = 0;
  /// One attempt: `up` or `dial_failed` follows.
  virtual Result<void> dial(std::string_view endpoint) = 0;
  /// Copies the bytes when it takes them. Any thread.
  virtual Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept = 0;
  /// The same without a copy, for frames that are worth it: with `taken` the memory is the transport's, which frees it
  /// on any thread when the bytes have left; otherwise it stays the caller's.
  virtual Sent give(ConnectionId id, OutboundFrame frame) noexcept {
    const Sent sent = send(id, {frame.memory, frame.size});
    if (sent == Sent::taken) free_frame(frame.memory);
    return sent;
  }
  /// Ends one connection; `down` follows.
  virtual void disconnect(ConnectionId id) noexcept = 0;
  /// True when all that was taken has left for the system.
  [[nodiscard]] virtual bool flushed() const noexcept = 0;
  /// Any thread.
  [[nodiscard]] virtual TransportCounts counts() const noexcept { return {}; }
  /// Ends everything; after it returned no call into Inbound happens any more. Idempotent. Not from within Inbound.
  virtual void stop() noexcept = 0;
};

}  // namespace v0
}  // namespace midplane
