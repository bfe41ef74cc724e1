#pragma once
/// What leaves over one connection: packs records into frames and gives them to the transport, at once while it takes
/// them; while it does not, records gather in the open frame. So a lone message leaves alone and a crowd leaves packed,
/// without a timer. Control goes always; data goes while window and open frame have room. The owner serialises all
/// calls.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/transport.hpp>

#include "link/far_totals.hpp"
#include "link/link_options.hpp"
#include "link/window.hpp"
#include "wire/envelope.hpp"
#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

namespace midplane::inline v0::link {

/// A frame is closed behind this; more would only delay what it carries. From here on packing more gains nothing.
inline constexpr std::size_t frame_target_bytes = std::size_t{64} << 10;
/// Data that is packed while the transport takes nothing: enough for it to go on with while who packs is told.
inline constexpr std::size_t packed_bytes_max = 4 * frame_target_bytes;
/// The least a frame may carry, on the slowest link.
inline constexpr std::size_t frame_least_bytes = 1024;

/// What became of a record.
enum class Put : std::uint8_t { sent, full, too_large, no_memory, gone };

/// A record too large for one frame, sent piece by piece. `record.payload` lies in `owner`, of which it has a reference.
struct Large {
  wire::Record record;
  wire::MetaFields meta;
  wire::Envelope* owner;
  FarTotals* totals;  ///< messages: where it is counted
  bool is_data;       ///< waits for grants
  std::vector<std::string> groups{};
  std::uint64_t offset = 0;
};

class Outgoing {
 public:
  Outgoing(Transport& transport, ConnectionId connection, const LinkOptions& options, Clock& clock) noexcept;
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  /// The words of all that is packed from here on; only before anything but a greeting is.
  void speak(std::uint16_t version) noexcept;
  /// Packs a record that never waits for grants. `full`: more waits here than a peer that does not read may make us keep.
  Put control(const wire::Record& record) noexcept;
  /// A data record of this size may be packed now. `deep`: also behind full frames that the transport does not take yet,
  /// where nothing can be replaced or dropped any more.
  [[nodiscard]] bool has_room(std::size_t record_bytes, bool deep = false) const noexcept {
    if (!is_open() || !large_.empty() || !window.has_room(record_bytes)) return false;
    if (deep && closed_bytes_ + open_.bytes() + record_bytes <= packed_bytes_max) return true;
    if (!closed_.empty()) return false;
    return open_.records() == 0 || open_.bytes() + record_bytes <= std::min(frame_target_bytes, frame_limit());
  }
  /// The same, for one that would only join others in the open frame, while the transport takes nothing.
  [[nodiscard]] bool joins_open(std::size_t record_bytes, bool deep) const noexcept {
    const bool is_waiting = full_ || (open_full_ && closed_.empty());
    return is_waiting && open_has_data_ && has_room(record_bytes, deep) &&
           open_.bytes() + record_bytes <= std::min(frame_target_bytes, frame_limit());
  }
  /// The short way of `data`, and of `flush` behind it: only after `joins_open`.
  Put join_open(const wire::Record& record, std::size_t record_bytes, FarTotals* totals) noexcept {
    // A peer may have granted what is in the open frame still.
    if (runs_.empty() || runs_.back().totals != totals) return data(record, totals);
    if (!open_.add(record)) return Put::no_memory;
    window.sent(record_bytes, 1);
    ++runs_.back().records;
    return Put::sent;
  }
  /// Packs one; only after `has_room`.
  Put data(const wire::Record& record, FarTotals* totals) noexcept;
  /// True when a record of this size has to go as `large`.
  [[nodiscard]] bool is_large(std::size_t record_bytes) const noexcept {
    return record_bytes + wire::frame_header_bytes > frame_limit();
  }
  Put large(Large large) noexcept;
  /// Gives what is packed to the transport.
  void flush() noexcept;
  /// Between these two this thread's records gather until they fill a frame: answers to what came together leave
  /// together. Other threads' leave as ever, and take with them what has gathered.
  void cork() noexcept;
  void uncork() noexcept;
  void writable() noexcept;
  /// The last records follow, and leave with all that is in front of them, as far as the transport can take that at all.
  void begin_farewell() noexcept;
  void granted(std::uint64_t bytes, std::uint32_t records) noexcept;
  /// Nothing waits here for the transport.
  [[nodiscard]] bool is_idle() const noexcept { return closed_.empty() && open_.records() == 0 && large_.empty(); }
  /// The largest number of its name that is still to come: a large message under way, or not begun.
  [[nodiscard]] bool holds_message(std::uint32_t name, std::uint32_t& first_number) const noexcept;
  /// Takes a large request back that has not begun to leave.
  bool take_back(std::uint64_t request) noexcept;
  /// Ends it: what was not granted yet is counted under `reason`.
  void end(DropReason reason) noexcept;
  /// Of the bytes packed, those that the transport has.
  [[nodiscard]] std::uint64_t given_bytes() const noexcept { return given_bytes_; }
  [[nodiscard]] bool is_open() const noexcept { return !ended_ && !gone_; }

  wire::FrameHead head{};
  std::size_t frame_bytes_max;
  bool asks_grant = false;  ///< every frame does: who drains wants to know what has arrived
  bool asks_life = false;   ///< every frame does: whether anybody is there still
  Window window;

 private:
  Put pack(const wire::Record& record, FarTotals* totals, bool is_data);
  void close_open() noexcept;
  bool send_open() noexcept;
  bool send_closed() noexcept;
  bool send_fragment() noexcept;
  void count(wire::RecordType type, std::size_t bytes, FarTotals* totals, bool is_data);
  [[nodiscard]] bool wants_grant() const noexcept { return open_is_counted_ && (asks_grant || asks_life || window.wants_grant(open_has_data_)); }
  void begin_open() noexcept;
  [[nodiscard]] std::size_t frame_limit() const noexcept {
    return std::min(frame_bytes_max, std::max(frame_least_bytes, window.frame_bytes()));
  }

  struct Closed {
    wire::Frame frame;
    bool wants_grant;
    bool is_counted;  ///< positions count it: neither a greeting nor grants alone
  };
  /// Data records of one name in a row that are not granted yet.
  struct Run {
    FarTotals* totals;
    std::uint64_t records;
  };

  Transport& transport_;
  const ConnectionId connection_;
  Clock& clock_;
  wire::FrameBuilder open_;
  bool open_has_data_ = false;
  bool open_is_counted_ = false;
  std::size_t open_uncounted_ = 0;  ///< bytes of grants alone, which count when something else joins them
  std::deque<Closed> closed_;
  std::size_t closed_bytes_ = 0;
  std::uint64_t given_bytes_ = 0;
  std::deque<Large> large_;
  std::deque<Run> runs_;
  bool corked_ = false;
  bool full_ = false;       ///< the transport owes a `writable`
  bool open_full_ = false;  ///< the same for the open frame; full ones it may still take
  bool is_last_ = false;
  bool gone_ = false;
  bool ended_ = false;
};

}  // namespace midplane::inline v0::link
