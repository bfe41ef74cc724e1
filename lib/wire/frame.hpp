#pragma once
/// Frames of wire version 1 as bytes: appending records to one, and reading one that a stranger sent. Pure functions of
/// their bytes. The layout is specified in protocol/wire.fbs.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midplane::inline v0::wire {

inline constexpr std::uint16_t wire_version = 1;
inline constexpr std::uint32_t frame_magic = 0x5044494d;  // "MIDP"
inline constexpr std::size_t frame_header_bytes = 40;
inline constexpr std::size_t record_header_bytes = 24;
inline constexpr std::size_t load_report_bytes = 16;
inline constexpr std::size_t payload_alignment = 16;
/// Room that a payload of `message_bytes_max` needs beside itself: the headers, a load report and the largest Meta.
inline constexpr std::size_t frame_overhead_max = 128 + UINT16_MAX;

/// One lifetime of a bus.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Incarnation&, const Incarnation&) = default;
};
/// 32 hexadecimal digits.
[[nodiscard]] std::string text_of(const Incarnation& incarnation);

struct FrameHead {
  std::uint16_t version = wire_version;
  Incarnation incarnation;
  std::uint64_t epoch = 0;
};

enum class RecordType : std::uint8_t {
  none = 0,
  hello = 1,
  refused = 2,
  names = 3,
  subscribe = 4,
  subscribe_confirmed = 5,
  subscribe_refused = 6,
  unsubscribe = 7,
  serve = 8,
  heartbeat = 9,
  grant = 10,
  message = 16,
  request = 17,
  reply = 18,
  failure = 19,
  cancel = 20,
  item = 21,
};

inline constexpr std::uint8_t retained_flag = 1;
/// A request whose remaining time does not fit into `number`.
inline constexpr std::uint32_t remaining_in_meta = UINT32_MAX;

/// The load of the sender; all zero until somebody keeps it.
struct LoadReport {
  std::uint16_t in_flight = 0, queued = 0, queue_wait = 0, service_time = 0;
  std::uint8_t utilisation = 0, admission = 0, flags = 0, weight = 0;
  std::uint32_t epoch = 0;
};

/// One record; `payload` and `meta` point into the frame, or to what will be copied there.
struct Record {
  RecordType type = RecordType::none;
  std::uint8_t flags = 0;
  std::uint32_t name = 0;
  std::uint32_t number = 0;
  std::uint64_t mark = 0;
  std::span<const std::byte> payload{};
  std::span<const std::byte> meta{};
  LoadReport load{};
};

/// What was wrong with a frame. `none` is last-known-good: every other value ends the connection.
enum class FrameFault : std::uint8_t {
  none,
  too_short,      ///< not even a header
  wrong_magic,    ///< not one of our frames
  wrong_version,  ///< a version that is not spoken here
  wrong_length,   ///< more or fewer bytes than the header says
  wrong_checksum,
  wrong_record,   ///< a record reaches beyond the frame, or bytes are left over
};
inline constexpr std::size_t frame_faults = 7;
[[nodiscard]] std::string_view name_of(FrameFault fault) noexcept;

/// Appends records to one frame. Keeps its memory from frame to frame.
class FrameBuilder {
 public:
  void begin(const FrameHead& head) noexcept;
  /// False without memory, or when `meta` is longer than its length field can say; the frame is then as before.
  [[nodiscard]] bool add(const Record& record) noexcept;
  [[nodiscard]] std::size_t records() const noexcept { return records_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }
  /// Writes length and checksum. The bytes stay valid until the next `begin`.
  [[nodiscard]] std::span<const std::byte> finish() noexcept;

 private:
  FrameHead head_{};
  std::size_t records_ = 0;
  std::vector<std::byte> bytes_;
};

/// Reads one frame. `open` verifies all of it, so `next` can not fail.
class FrameReader {
 public:
  [[nodiscard]] FrameFault open(std::span<const std::byte> frame) noexcept;
  [[nodiscard]] const FrameHead& head() const noexcept { return head_; }
  /// False after the last one.
  [[nodiscard]] bool next(Record& record) noexcept;

 private:
  FrameHead head_{};
  std::span<const std::byte> frame_;
  std::size_t at_ = 0;
};

}  // namespace midplane::inline v0::wire
