// Problem: the new program has one more field, and the old ones still have to read it and to be read.
// Fields added at the end are fine both ways: the old reader skips them, the new one sees the default.
#include <midplane/zmq.hpp>

#include "../must.hpp"
#include "sensor_v2_midplane.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto bus = must(midplane::Bus::open({.name = "new"}));
  auto from_old = must(bus.inbox(midplane::Topic<sensor::Reading>{"sensor.down"}));
  auto to_old = must(bus.publisher(midplane::Topic<sensor::Reading>{"sensor.up"}));
  must(bus.attach(midplane::zmq::transport({.peers = {argv[2]}})));

  while (true) {  // events come in between: the link is up
    const auto item = must(from_old.take(std::chrono::seconds{5}));
    const auto* reading = std::get_if<midplane::Message<sensor::Reading>>(&item);
    if (!reading) continue;
    std::printf("v2 reads %s: %.1f C, humidity %s\n", (*reading)->place()->c_str(), (*reading)->celsius(),
                (*reading)->humidity() < 0 ? "not measured" : "measured");
    break;
  }
  must(to_old.wait_matched(1, std::chrono::seconds{5}));
  const auto published = must(to_old.publish(
      [](flatbuffers::FlatBufferBuilder& b) { return sensor::CreateReadingDirect(b, "garden", 21.5, 0.4); }));
  std::printf("v2 published: %u took it\n", published.queued);
  bus.drain(std::chrono::seconds{5});
}
