#pragma once
/// Frames as bytes: appending records to one, and reading one that a stranger sent. Pure functions of their bytes. The layout is specified in protocol/wire.fbs.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "wire/frame_memory.hpp"

namespace midplane::inline v0::wire {

/// What is spoken here, up to `wire_version`. Not in the header, so that a test links the previous library by one file.
extern const std::uint16_t wire_version;
extern const std::uint16_t wire_version_min;
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
  bool wants_grant = false;   ///< as soon as this frame is taken
  std::uint16_t number = 0;   ///< of this frame on its connection and direction, modulo `frame_numbers`
};
inline constexpr std::uint16_t frame_numbers = 1 << 15;

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
  subscription_grant = 11,
  schema_wanted = 12,
  schema = 13,
  schema_refused = 14,
  joined = 15,
  message = 16,
  request = 17,
  reply = 18,
  failure = 19,
  cancel = 20,
  item = 21,
  item_grant = 22,
  finished = 23,
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

struct Envelope;

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
  /// Whose payload it is, when one reference is the caller's: a large one may leave from where it lies.
  Envelope* owner = nullptr;
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

constexpr bool has_load(RecordType type) noexcept {
  return type == RecordType::reply || type == RecordType::failure || type == RecordType::heartbeat;
}
constexpr std::size_t align(std::size_t bytes, std::size_t to) noexcept { return (bytes + to - 1) / to * to; }

/// Where the parts of a record lie in its frame.
struct Layout {
  std::size_t payload, meta, end;
};

constexpr Layout layout_of(std::size_t at, RecordType type, std::size_t payload_bytes, std::size_t meta_bytes) noexcept {
  Layout layout{};
  layout.payload = at + record_header_bytes + (has_load(type) ? load_report_bytes : 0);
  layout.meta = align(layout.payload + payload_bytes, 8);
  if (meta_bytes == 0) layout.meta = layout.payload + payload_bytes;
  // The next record begins 8 behind a multiple of 16, so that its own payload is aligned.
  layout.end = align(layout.meta + meta_bytes + 8, payload_alignment) - 8;
  return layout;
}
/// What a record takes of a frame, padding included.
[[nodiscard]] constexpr std::size_t bytes_of(RecordType type, std::size_t payload_bytes, std::size_t meta_bytes) noexcept {
  return layout_of(frame_header_bytes, type, payload_bytes, meta_bytes).end - frame_header_bytes;
}

struct Frame {
  FrameMemory memory;
  std::size_t size = 0;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {memory.get(), size}; }
};

/// Appends records to one frame. Keeps its memory from frame to frame, until `detach` gives it away.
class FrameBuilder {
 public:
  void begin() noexcept;
  /// The words of what is added from here on; `FrameHead::version` has to say the same.
  void speak(std::uint16_t version) noexcept { version_ = version; }
  /// False without memory, or when `meta` is longer than its length field can say; the frame is then as before.
  [[nodiscard]] bool add(const Record& record) noexcept;
  [[nodiscard]] std::size_t records() const noexcept { return records_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_; }
  /// Writes header and checksum. The bytes stay valid until the next call; more may be added, and it be finished again.
  [[nodiscard]] std::span<const std::byte> finish(const FrameHead& head) noexcept;
  [[nodiscard]] std::byte* memory() noexcept { return memory_.get(); }
  /// The finished frame, whose memory is the caller's from now on.
  [[nodiscard]] Frame detach() noexcept;

 private:
  bool grow(std::size_t bytes) noexcept;
  bool enclose(const Record& record, const Layout& layout) noexcept;
  std::size_t records_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t size_before_ = 0;  ///< of the frame before: the next one is likely as large
  std::uint16_t version_ = wire_version;
  bool is_lent_ = false;  ///< `memory_` is the block of a payload
  FrameMemory memory_;
};

/// Reads one frame. `open` verifies all of it, so `next` can not fail. What begins with a greeting or a refusal is read
/// in every version, for their layout never changes; anything else only in those that are spoken here.
class FrameReader {
 public:
  [[nodiscard]] FrameFault open(std::span<const std::byte> frame) noexcept;
  [[nodiscard]] const FrameHead& head() const noexcept { return head_; }
  /// False after the last one.
  [[nodiscard]] bool next(Record& record) noexcept;

 private:
  [[nodiscard]] FrameFault verify(std::span<const std::byte> frame) noexcept;
  FrameHead head_{};
  std::span<const std::byte> frame_;
  std::size_t at_ = 0;
};

}  // namespace midplane::inline v0::wire
