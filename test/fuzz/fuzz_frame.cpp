/// Any bytes as a frame from a stranger, and the same bytes behind a valid header and checksum. A frame that was read
/// and is built again reads the same.

#include <xxhash.h>

#include <cstring>
#include <vector>

#include "fuzz/script.hpp"
#include "wire/frame.hpp"

namespace {

using namespace midplane;
using namespace midplane::wire;

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

void read_all(std::span<const std::byte> frame) {
  FrameReader reader;
  const FrameFault fault = reader.open(frame);
  FUZZ_ASSERT(!name_of(fault).empty());
  FUZZ_ASSERT(text_of(reader.head().incarnation).size() == 32);
  Record record;
  if (fault != FrameFault::none) {
    FUZZ_ASSERT(!reader.next(record));
    return;
  }
  FrameBuilder builder;
  builder.begin();
  std::vector<Record> records;
  while (reader.next(record)) {
    for (const auto part : {record.payload, record.meta})
      FUZZ_ASSERT(part.data() >= frame.data() && part.data() + part.size() <= frame.data() + frame.size());
    FUZZ_ASSERT(bytes_of(record.type, record.payload.size(), record.meta.size()) % 16 == 0);
    records.push_back(record);
    FUZZ_ASSERT(builder.add(record));
  }
  const auto again = builder.finish(reader.head());
  FUZZ_ASSERT(again.empty() == records.empty());
  if (records.empty()) return;
  FrameReader second;
  FUZZ_ASSERT(second.open(again) == FrameFault::none && second.head().number == reader.head().number);
  for (const Record& one : records) {
    FUZZ_ASSERT(second.next(record));
    FUZZ_ASSERT(record.type == one.type && record.name == one.name && record.number == one.number && record.mark == one.mark);
    FUZZ_ASSERT(same(record.payload, one.payload) && same(record.meta, one.meta));
  }
  FUZZ_ASSERT(!second.next(record));
  FUZZ_ASSERT(builder.detach().size == again.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* first = reinterpret_cast<const std::byte*>(data);
  // Copies of their own, so that a step beyond the end is seen.
  read_all(std::vector<std::byte>(first, first + size));

  std::vector<std::byte> frame(frame_header_bytes);
  frame.insert(frame.end(), first, first + size);
  const std::uint32_t magic = frame_magic;
  const std::uint16_t version = wire_version;
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  std::memcpy(frame.data(), &magic, sizeof magic);
  std::memcpy(frame.data() + 8, &version, sizeof version);
  std::memcpy(frame.data() + 12, &bytes, sizeof bytes);
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(frame.data() + 8, frame.size() - 8));
  std::memcpy(frame.data() + 4, &sum, sizeof sum);
  frame.shrink_to_fit();
  read_all(frame);
  return 0;
}
