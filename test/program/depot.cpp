// depot VAN ADDRESS: a bus named depot that publishes van.VAN.position once, retained, and takes nothing out of its queues.
// Prints its address; ends with its input.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

#include "fleet_midplane.hpp"

namespace {

using namespace midplane;

template <class T>
T must(Result<T> result) {
  if (!result) std::fprintf(stderr, "depot: %s\n", result.error().message().c_str()), std::exit(1);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: depot VAN ADDRESS\n"), 2;
  Bus bus = must(Bus::open({.name = "depot"}));

  auto positions = must(bus.publisher(must(fleet::vans::position(argv[1]))));
  fleet::PositionT position;
  position.door = fleet::Door::open;
  must(positions.publish(position));

  const auto nobody = [](const Request<fleet::Alert>&) { return fleet::PositionT{}; };
  const auto north = must(bus.serve(fleet::desks::north, nobody));
  const auto south = must(bus.serve(fleet::desks::south, nobody));

  std::vector<Inbox<Bytes>> unread;
  const auto fill = [&](const char* name, Queue queue, int messages) {
    const auto topic = must(Topic<Bytes>::named(name));
    unread.push_back(must(bus.inbox(topic, {.queue = queue})));
    auto publisher = must(bus.publisher(topic));
    const std::byte payload[8] = {};
    for (int i = 0; i < messages; ++i) must(publisher.publish(std::span<const std::byte>{payload}));
  };
  fill("full.newest", {.messages = 4}, 9);
  fill("full.newest_too", {.messages = 4}, 9);
  fill("full.oldest", {.messages = 4, .overflow = Overflow::drop_oldest}, 9);
  fill("full.latest", {.messages = 1, .overflow = Overflow::latest}, 9);
  fill("full.block", {.messages = 4, .overflow = Overflow::block}, 3);
  fill("full.block_lost", {.messages = 4, .overflow = Overflow::block, .block_for = std::chrono::milliseconds{1}}, 9);
  fill("full.refuse", {.messages = 4, .overflow = Overflow::refuse}, 3);
  fill("full.soon", {.messages = 4}, 3);

  fill("twice", {}, 0);
  fill("twice", {}, 0);

  must(bus.attach(zmq::transport({.listen = {argv[2]}})));
  std::printf("%s\n", bus.listening().front().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
}
