/// A link that is up, and a peer that says anything. The first byte chooses: a script of records with valid checksums
/// (who dialled in its lowest bit), or raw bytes as the records of frames.

#include "fuzz/peer_script.hpp"

namespace {

using namespace midplane;
using namespace midplane::fuzz;

/// Every chunk of the bytes as all that stands behind a valid frame header.
void raw_frames(Stranger& world, Script& script) {
  while (script.has_more() && world.is_connected()) {
    const auto bytes = script.take(script.word<std::uint16_t>() % 4096);
    world.add({.type = wire::RecordType::cancel, .mark = UINT64_MAX});
    Connection& over = world.current();
    over.head.number = static_cast<std::uint16_t>((over.head.number + 1) % wire::frame_numbers);
    auto frame = world.builder.finish(over.head);
    std::vector<std::byte> whole(frame.begin(), frame.begin() + wire::frame_header_bytes);
    world.builder.begin();
    whole.insert(whole.end(), bytes.begin(), bytes.end());
    const auto size = static_cast<std::uint32_t>(whole.size());
    std::memcpy(whole.data() + 12, &size, sizeof size);
    link::testing::repair_checksum(whole);
    world.send_raw(std::move(whole));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 16'384) return -1;
  Script script{std::as_bytes(std::span{data, size})};
  const std::uint8_t mode = script.byte();
  const bool dialled = (mode & 1) != 0;
  Stranger world{true};
  world.connect(dialled, 7, 5);
  world.say_hello();
  world.add_body(wire::RecordType::serve, wire::encode(wire::ServeBody{{{"ask", {}, {}}}, {}}));
  world.add_body(wire::RecordType::subscribe, wire::encode(link::testing::subscription(9, "t")));
  world.send();
  FUZZ_ASSERT(world.is_connected() && world.judge.peers.size() == 1);
  PeerScript peer{world, script};
  if ((mode & 2) != 0) raw_frames(world, script);
  for (int i = 0; i < 400 && script.has_more(); ++i) peer.step();
  world.send();
  world.pass(std::chrono::seconds{4});
  return 0;
}
