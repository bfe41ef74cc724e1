// Problem: somebody changed the type of a field. Nobody must read a number where now a string begins.
// Both sides are told, with the field; no handler sees such a message, and the link and all other topics go on.
#include <future>

#include <midplane/zmq.hpp>

#include "../must.hpp"
#include "sensor_v3_midplane.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto bus = must(midplane::Bus::open({.name = "odd"}));
  auto to_old = must(bus.publisher(midplane::Topic<sensor::Reading>{"sensor.up"}));
  std::promise<std::string> told;
  auto from_old = must(bus.subscribe(
      midplane::Topic<sensor::Reading>{"sensor.down"},
      [](const midplane::Message<sensor::Reading>&) { std::puts("v3 can not read this"); },
      {.on_event = [&](const midplane::SubscriptionEvent& event) {
        if (event.kind == midplane::EventKind::schema_mismatch) told.set_value(event.detail);
      }}));
  must(bus.attach(midplane::zmq::transport({.peers = {argv[2]}})));
  std::printf("v3 is told: %s\n", told.get_future().get().c_str());
}
