/// libFuzzer: any bytes as a frame from a stranger, and the same bytes behind a valid header and checksum.

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

namespace {

using namespace midplane::wire;

void read_all(std::span<const std::byte> frame) {
  FrameReader reader;
  if (reader.open(frame) != FrameFault::none) return;
  for (Record record; reader.next(record);) {
    static_cast<void>(decode_hello(record.payload));
    static_cast<void>(decode_names(record.payload));
    static_cast<void>(decode_subscribe(record.payload));
    static_cast<void>(decode_serve(record.payload));
    static_cast<void>(decode_failure(record.payload));
    static_cast<void>(decode_heartbeat(record.payload));
    static_cast<void>(decode_meta(record.meta));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* first = reinterpret_cast<const std::byte*>(data);
  read_all({first, size});

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
  read_all(frame);
  return 0;
}
