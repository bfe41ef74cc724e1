#include "wire/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/defect.hpp"
#include "wire/checksum.hpp"
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
  return static_cast<std::uint32_t>(xxh3(frame.subspan(checksum_from)));
}

template <class T>
T load_from(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store_to(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

/// A record's header, field by field in its place. A whole one that is put together beside the frame and copied, or
/// copied out and then taken apart, has the processor wait for its own stores: 17 ns for each that was written, 10 for
/// each that was read. The places are those of protocol::RecordHeader; golden vectors hold them.
constexpr std::size_t type_at = 0, flags_at = 1, meta_length_at = 2, payload_length_at = 4, name_at = 8, number_at = 12, mark_at = 16;

RecordType type_in(const std::byte* record) noexcept { return RecordType{static_cast<std::uint8_t>(record[type_at])}; }
Layout layout_in(const std::byte* record, std::size_t at) noexcept {
  return layout_of(at, type_in(record), load_from<std::uint32_t>(record + payload_length_at),
                   load_from<std::uint16_t>(record + meta_length_at));
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
  if (capacity_ > kept_bytes_max || is_lent_) {
    memory_.reset();
    capacity_ = 0;
  }
  is_lent_ = false;
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
  is_lent_ = false;
  return true;
}

/// A large payload that nobody else has needs no copy: there is room for the headers in front of it.
bool FrameBuilder::enclose(const Record& record, const Layout& layout) noexcept {
  if (!record.owner || size_ != 0 || !record.meta.empty()) return false;
  std::byte* const frame = lend_frame(*record.owner, record.payload, layout.payload, layout.end);
  if (!frame) return false;
  memory_.reset(frame);
  capacity_ = layout.end;
  return is_lent_ = true;
}

bool FrameBuilder::add(const Record& record) noexcept {
  const std::size_t at = size_ == 0 ? frame_header_bytes : size_;
  const Layout layout = layout_of(at, record.type, record.payload.size(), record.meta.size());
  if (record.meta.size() > UINT16_MAX || layout.end > frame_bytes_max) return false;
  if (!enclose(record, layout) && layout.end > capacity_ && !grow(layout.end)) return false;
  std::byte* const frame = memory_.get();
  // Padding is zero, in front of Meta and behind it: less than 16 bytes each, and what they carry is written over it.
  if (is_lent_) std::memset(frame + layout.payload + record.payload.size(), 0, layout.end - layout.payload - record.payload.size());
  else std::memset(frame + layout.end - 16, 0, 16);
  if (!record.meta.empty()) std::memset(frame + layout.meta - 8, 0, 8);
  std::byte* const header = frame + at;
  store_to(header + type_at, static_cast<std::uint8_t>(record.type));
  store_to(header + flags_at, record.flags);
  store_to(header + meta_length_at, static_cast<std::uint16_t>(record.meta.size()));
  store_to(header + payload_length_at, static_cast<std::uint32_t>(record.payload.size()));
  store_to(header + name_at, record.name);
  store_to(header + number_at, record.number);
  store_to(header + mark_at, in_microseconds(record.type, version_) ? record.mark / nanoseconds_per_microsecond : record.mark);
  if (has_load(record.type)) store_to(header + record_header_bytes, record.load);
  if (!record.payload.empty() && !is_lent_) std::memcpy(frame + layout.payload, record.payload.data(), record.payload.size());
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
    const Layout layout = layout_in(frame.data() + at, at);
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
  record.type = type_in(at);
  record.flags = load_from<std::uint8_t>(at + flags_at);
  record.name = load_from<std::uint32_t>(at + name_at);
  record.number = load_from<std::uint32_t>(at + number_at);
  record.mark = load_from<std::uint64_t>(at + mark_at);
  if (in_microseconds(record.type, head_.version)) record.mark *= nanoseconds_per_microsecond;
  record.load = has_load(record.type) ? load_from<LoadReport>(at + record_header_bytes) : LoadReport{};
  const Layout layout = layout_in(at, at_);
  record.payload = frame_.subspan(layout.payload, load_from<std::uint32_t>(at + payload_length_at));
  record.meta = frame_.subspan(layout.meta, load_from<std::uint16_t>(at + meta_length_at));
  at_ = layout.end;
  return true;
}

}  // namespace midplane::inline v0::wire
