// Problem: programs of two versions of one schema meet, since not all are rebuilt on the same day.
// This is the old one. v2 (a good change) and v3 (a bad one) dial it; run: v1 --listen tcp://127.0.0.1:0
#include <future>

#include <midplane/zmq.hpp>

#include "../must.hpp"
#include "sensor_v1_midplane.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto bus = must(midplane::Bus::open({.name = "old"}));
  std::promise<void> read, refused;
  auto from_peers = must(bus.subscribe(
      midplane::Topic<sensor::Reading>{"sensor.up"},
      [&](const midplane::Message<sensor::Reading>& reading) {
        std::printf("v1 reads %s of %s: %.1f C\n", reading->place()->c_str(), std::string{reading.peer()}.c_str(),
                    reading->celsius());
        read.set_value();
      },
      {.on_event = [&](const midplane::SubscriptionEvent& event) {
        if (event.kind != midplane::EventKind::schema_mismatch) return;
        std::printf("v1 takes nothing of %s: %s\n", event.peer.c_str(), event.detail.c_str());
        refused.set_value();
      }}));
  auto to_peers = must(bus.publisher(midplane::Topic<sensor::Reading>{"sensor.down"}, {.retain = true}));
  must(to_peers.publish([](flatbuffers::FlatBufferBuilder& b) { return sensor::CreateReadingDirect(b, "hall", 19.0); }));

  must(bus.attach(midplane::zmq::transport({.listen = {argv[2]}})));
  std::printf("listening at %s\n", bus.listening().front().c_str());
  std::fflush(stdout);
  read.get_future().wait();
  refused.get_future().wait();
}
