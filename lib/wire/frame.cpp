#include "wire/frame.hpp"

#include <xxhash.h>

#include <cstring>
#include <new>

#include "wire_generated.h"

namespace midplane::inline v0::wire {
namespace {

static_assert(sizeof(protocol::FrameHeader) == frame_header_bytes);
static_assert(sizeof(protocol::RecordHeader) == record_header_bytes);
static_assert(sizeof(protocol::LoadReport) == load_report_bytes && sizeof(LoadReport) == load_report_bytes);
static_assert((frame_header_bytes + record_header_bytes) % payload_alignment == 0,
              "the payload of a lone record begins aligned without padding");
static_assert(static_cast<int>(RecordType::item) == protocol::RecordType_item);

constexpr std::size_t checksum_at = 4;
constexpr std::size_t checksum_from = 8;
/// A frame larger than its length field can say is never built.
constexpr std::size_t frame_bytes_max = UINT32_MAX;

constexpr std::size_t align(std::size_t bytes, std::size_t to) noexcept { return (bytes + to - 1) / to * to; }

constexpr bool has_load(RecordType type) noexcept {
  return type == RecordType::reply || type == RecordType::failure || type == RecordType::heartbeat;
}

std::uint32_t checksum(std::span<const std::byte> frame) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits(frame.data() + checksum_from, frame.size() - checksum_from));
}

template <class T>
T load_from(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Where the parts of a record lie in its frame.
struct Layout {
  std::size_t payload, meta, end;
};

Layout layout_of(std::size_t at, RecordType type, std::size_t payload_bytes, std::size_t meta_bytes) noexcept {
  Layout layout{};
  layout.payload = at + record_header_bytes + (has_load(type) ? load_report_bytes : 0);
  layout.meta = align(layout.payload + payload_bytes, 8);
  if (meta_bytes == 0) layout.meta = layout.payload + payload_bytes;
  // The next record begins 8 behind a multiple of 16, so that its own payload is aligned.
  layout.end = align(layout.meta + meta_bytes + 8, payload_alignment) - 8;
  return layout;
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

void FrameBuilder::begin(const FrameHead& head) noexcept {
  // One large message must not keep its size for the life of the connection.
  constexpr std::size_t kept_bytes_max = std::size_t{256} << 10;
  if (bytes_.capacity() > kept_bytes_max) std::vector<std::byte>{}.swap(bytes_);
  bytes_.clear();
  head_ = head;
  records_ = 0;
}

bool FrameBuilder::add(const Record& record) noexcept {
  const std::size_t at = bytes_.empty() ? frame_header_bytes : bytes_.size();
  const Layout layout = layout_of(at, record.type, record.payload.size(), record.meta.size());
  if (record.meta.size() > UINT16_MAX || layout.end > frame_bytes_max) return false;
  const protocol::RecordHeader header{static_cast<std::uint8_t>(record.type), record.flags,
                                      static_cast<std::uint16_t>(record.meta.size()),
                                      static_cast<std::uint32_t>(record.payload.size()), record.name, record.number,
                                      record.mark};
  try {
    if (bytes_.empty()) bytes_.reserve(layout.end);
    bytes_.resize(at);
    const auto append = [this](const void* from, std::size_t size) {
      const auto* first = static_cast<const std::byte*>(from);
      bytes_.insert(bytes_.end(), first, first + size);
    };
    append(&header, sizeof header);
    if (has_load(record.type)) append(&record.load, sizeof record.load);
    append(record.payload.data(), record.payload.size());
    bytes_.resize(layout.meta);
    append(record.meta.data(), record.meta.size());
    bytes_.resize(layout.end);
  } catch (...) {
    // Shrinking needs no memory.
    bytes_.resize(records_ == 0 ? 0 : at);
    return false;
  }
  ++records_;
  return true;
}

std::span<const std::byte> FrameBuilder::finish() noexcept {
  if (bytes_.empty()) return {};
  const protocol::FrameHeader header{frame_magic,
                                     0,
                                     head_.version,
                                     0,
                                     static_cast<std::uint32_t>(bytes_.size()),
                                     head_.incarnation.high,
                                     head_.incarnation.low,
                                     head_.epoch};
  std::memcpy(bytes_.data(), &header, sizeof header);
  const std::uint32_t sum = checksum(bytes_);
  std::memcpy(bytes_.data() + checksum_at, &sum, sizeof sum);
  return bytes_;
}

FrameFault FrameReader::open(std::span<const std::byte> frame) noexcept {
  frame_ = {};
  at_ = frame_header_bytes;
  if (frame.size() < frame_header_bytes) return FrameFault::too_short;
  const auto header = load_from<protocol::FrameHeader>(frame.data());
  if (header.magic() != frame_magic) return FrameFault::wrong_magic;
  head_ = {header.version(), {header.incarnation_high(), header.incarnation_low()}, header.epoch()};
  // The version stands before length and checksum: what those mean is the version's business.
  if (header.version() != wire_version) return FrameFault::wrong_version;
  if (header.bytes() != frame.size()) return FrameFault::wrong_length;
  if (header.checksum() != checksum(frame)) return FrameFault::wrong_checksum;
  for (std::size_t at = frame_header_bytes; at != frame.size();) {
    if (frame.size() - at < record_header_bytes) return FrameFault::wrong_record;
    const auto record = load_from<protocol::RecordHeader>(frame.data() + at);
    const Layout layout = layout_of(at, RecordType{record.type()}, record.payload_length(), record.meta_length());
    if (layout.end > frame.size()) return FrameFault::wrong_record;
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
  record.load = has_load(record.type) ? load_from<LoadReport>(at + record_header_bytes) : LoadReport{};
  const Layout layout = layout_of(at_, record.type, header.payload_length(), header.meta_length());
  record.payload = frame_.subspan(layout.payload, header.payload_length());
  record.meta = frame_.subspan(layout.meta, header.meta_length());
  at_ = layout.end;
  return true;
}

}  // namespace midplane::inline v0::wire
