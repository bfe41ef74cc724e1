#include "wire/frame.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/defect.hpp"
#include "wire_generated.h"

namespace midplane::inline v0::wire {

// Tests build the previous version and a strange one from this file: another number, and one field in other words.
#ifndef MIDPLANE_WIRE_VERSION
#define MIDPLANE_WIRE_VERSION 2
#endif
constinit const std::uint16_t wire_version = MIDPLANE_WIRE_VERSION;
constinit const std::uint16_t wire_version_min = static_cast<std::uint16_t>(wire_version - 1);

namespace {

/// The first version that says in nanoseconds when a message was published; those before said microseconds.
constexpr std::uint16_t nanoseconds_since = 2;
constexpr std::uint64_t nanoseconds_per_microsecond = 1000;

bool in_microseconds(RecordType type, std::uint16_t version) noexcept {
  return version < nanoseconds_since && type == RecordType::message;
}

static_assert(sizeof(protocol::FrameHeader) == frame_header_bytes);
static_assert(sizeof(protocol::RecordHeader) == record_header_bytes);
static_assert(sizeof(protocol::LoadReport) == load_report_bytes && sizeof(LoadReport) == load_report_bytes);
static_assert((frame_header_bytes + record_header_bytes) % payload_alignment == 0,
              "the payload of a lone record begins aligned without padding");
static_assert(static_cast<int>(RecordType::finished) == protocol::RecordType_finished);
constexpr std::uint16_t wants_grant_flag = 1;

constexpr std::size_t checksum_at = 4;
constexpr std::size_t checksum_from = 8;
/// A frame larger than its length field can say is never built.
constexpr std::size_t frame_bytes_max = UINT32_MAX;

std::uint32_t checksum(std::span<const std::byte> frame) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits(frame.data() + checksum_from, frame.size() - checksum_from));
}

template <class T>
T load_from(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::string text_of(const Incarnation& incarnation) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text(32, '0');
  for (std::size_t i = 0; i < 32; ++i) {
    const std::uint64_t half = i < 16 ? incarnation.high : incarnation.low;
    text[i] = digits[(half >> (60 - 4 * (i % 16))) & 15];
  }
  return text;
}

std::string_view name_of(FrameFault fault) noexcept {
  switch (fault) {
    case FrameFault::none: return "none";
    case FrameFault::too_short: return "too_short";
    case FrameFault::wrong_magic: return "wrong_magic";
    case FrameFault::wrong_version: return "wrong_version";
    case FrameFault::wrong_length: return "wrong_length";
    case FrameFault::wrong_checksum: return "wrong_checksum";
    case FrameFault::wrong_record: return "wrong_record";
  }
  return "unknown";
}

void FrameBuilder::begin() noexcept {
  // One large message must not keep its size for the life of the connection.
  constexpr std::size_t kept_bytes_max = std::size_t{256} << 10;
  if (capacity_ > kept_bytes_max) {
    memory_.reset();
    capacity_ = 0;
  }
  size_before_ = std::min(size_, kept_bytes_max);
  size_ = 0;
  records_ = 0;
}

/// Room for `bytes` in all.
bool FrameBuilder::grow(std::size_t bytes) noexcept {
  constexpr std::size_t least = 1024;
  constexpr std::size_t crowded = 4096;
  std::size_t capacity = std::max({least, bytes, std::bit_ceil(std::min(size_before_, bytes * 64)), 2 * size_});
  // What is not small any more becomes a full frame, and those are kept.
  if (capacity > crowded && bytes <= frame_block_bytes) capacity = frame_block_bytes;
  FrameMemory memory{allocate_frame(capacity)};
  if (!memory) return false;
  if (size_ != 0) std::memcpy(memory.get(), memory_.get(), size_);
  memory_ = std::move(memory);
  capacity_ = capacity;
  return true;
}

bool FrameBuilder::add(const Record& record) noexcept {
  const std::size_t at = size_ == 0 ? frame_header_bytes : size_;
  const Layout layout = layout_of(at, record.type, record.payload.size(), record.meta.size());
  if (record.meta.size() > UINT16_MAX || layout.end > frame_bytes_max) return false;
  if (layout.end > capacity_ && !grow(layout.end)) return false;
  const protocol::RecordHeader header{static_cast<std::uint8_t>(record.type), record.flags,
                                      static_cast<std::uint16_t>(record.meta.size()),
                                      static_cast<std::uint32_t>(record.payload.size()), record.name, record.number,
                                      in_microseconds(record.type, version_) ? record.mark / nanoseconds_per_microsecond
                                                                             : record.mark};
  std::byte* const frame = memory_.get();
  // Padding is zero, in front of Meta and behind it: less than 16 bytes each, and what they carry is written over it.
  std::memset(frame + layout.end - 16, 0, 16);
  if (!record.meta.empty()) std::memset(frame + layout.meta - 8, 0, 8);
  std::memcpy(frame + at, &header, sizeof header);
  if (has_load(record.type)) std::memcpy(frame + at + sizeof header, &record.load, sizeof record.load);
  if (!record.payload.empty()) std::memcpy(frame + layout.payload, record.payload.data(), record.payload.size());
  if (!record.meta.empty()) std::memcpy(frame + layout.meta, record.meta.data(), record.meta.size());
  size_ = layout.end;
  ++records_;
  return true;
}

std::span<const std::byte> FrameBuilder::finish(const FrameHead& head) noexcept {
  if (size_ == 0) return {};
  const protocol::FrameHeader header{frame_magic,
                                     0,
                                     head.version,
                                     static_cast<std::uint16_t>(head.number << 1 | (head.wants_grant ? wants_grant_flag : 0)),
                                     static_cast<std::uint32_t>(size_),
                                     head.incarnation.high,
                                     head.incarnation.low,
                                     head.epoch};
  std::memcpy(memory_.get(), &header, sizeof header);
  const std::uint32_t sum = checksum({memory_.get(), size_});
  std::memcpy(memory_.get() + checksum_at, &sum, sizeof sum);
  return {memory_.get(), size_};
}

Frame FrameBuilder::detach() noexcept {
  Frame frame{std::move(memory_), size_};
  capacity_ = 0;
  begin();
  return frame;
}

FrameFault FrameReader::open(std::span<const std::byte> frame) noexcept {
  const FrameFault fault = verify(frame);
  if (fault == FrameFault::too_short || fault == FrameFault::wrong_magic) return fault;
  if (head_.version >= wire_version_min && head_.version <= wire_version) return fault;
  // What a frame of another version means is that version's business, but for a greeting.
  const bool is_greeting = fault == FrameFault::none && frame.size() > frame_header_bytes &&
                           (RecordType{static_cast<std::uint8_t>(frame[frame_header_bytes])} == RecordType::hello ||
                            RecordType{static_cast<std::uint8_t>(frame[frame_header_bytes])} == RecordType::refused);
  if (is_greeting) return FrameFault::none;
  frame_ = {};
  return FrameFault::wrong_version;
}

FrameFault FrameReader::verify(std::span<const std::byte> frame) noexcept {
  frame_ = {};
  at_ = frame_header_bytes;
  if (frame.size() < frame_header_bytes) return FrameFault::too_short;
  const auto header = load_from<protocol::FrameHeader>(frame.data());
  if (header.magic() != frame_magic) return FrameFault::wrong_magic;
  head_ = {header.version(), {header.incarnation_high(), header.incarnation_low()}, header.epoch(),
           (header.flags() & wants_grant_flag) != 0, static_cast<std::uint16_t>(header.flags() >> 1)};
  if (header.bytes() != frame.size()) return FrameFault::wrong_length;
  if (header.checksum() != checksum(frame)) return FrameFault::wrong_checksum;
  for (std::size_t at = frame_header_bytes; at != frame.size();) {
    if (frame.size() - at < record_header_bytes) return FrameFault::wrong_record;
    const auto record = load_from<protocol::RecordHeader>(frame.data() + at);
    const Layout layout = layout_of(at, RecordType{record.type()}, record.payload_length(), record.meta_length());
    if (layout.end > frame.size()) {
      if (base::defect(base::Defect::record_beyond_frame)) break;
      return FrameFault::wrong_record;
    }
    at = layout.end;
  }
  frame_ = frame;
  return FrameFault::none;
}

bool FrameReader::next(Record& record) noexcept {
  if (at_ >= frame_.size()) return false;
  const std::byte* at = frame_.data() + at_;
  const auto header = load_from<protocol::RecordHeader>(at);
  record.type = RecordType{header.type()};
  record.flags = header.flags();
  record.name = header.name();
  record.number = header.number();
  record.mark = header.mark();
  if (in_microseconds(record.type, head_.version)) record.mark *= nanoseconds_per_microsecond;
  record.load = has_load(record.type) ? load_from<LoadReport>(at + record_header_bytes) : LoadReport{};
  const Layout layout = layout_of(at_, record.type, header.payload_length(), header.meta_length());
  record.payload = frame_.subspan(layout.payload, header.payload_length());
  record.meta = frame_.subspan(layout.meta, header.meta_length());
  at_ = layout.end;
  return true;
}

}  // namespace midplane::inline v0::wire
