// A ship and a harbour: two buses with a link over ZeroMQ between them. In life they are two processes on two hosts.
#include <cstdio>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

#include "ferry_midplane.hpp"

using namespace std::chrono_literals;

template <class T>
T must(midplane::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}

int main() {
  auto harbour = must(midplane::Bus::open({.name = "harbour"}));
  if (!harbour.attach(midplane::zmq::transport({.listen = {"tcp://127.0.0.1:0"}}))) return 1;
  auto ship = must(midplane::Bus::open({.name = "ship"}));
  if (!ship.attach(midplane::zmq::transport({.peers = harbour.listening()}))) return 1;

  auto inbox = must(harbour.inbox(ferry::ferry::positions));
  auto server = must(harbour.serve(ferry::ferry::arrival, [](const midplane::Request<ferry::Call>&) {
    return [](flatbuffers::FlatBufferBuilder& b) { return ferry::CreateArrival(b, 25); };
  }));

  auto positions = must(ship.publisher(ferry::ferry::positions));
  if (!positions.wait_matched(1, 10s)) return 1;
  must(positions.publish([](flatbuffers::FlatBufferBuilder& b) {
    return ferry::CreatePositionDirect(b, "Alma", 53.87, 8.7);
  }));
  while (true) {
    const auto item = must(inbox.take(10s));
    const auto* message = std::get_if<midplane::Message<ferry::Position>>(&item);
    if (!message) continue;  // an event: the subscription is confirmed
    std::printf("%s at %.2f N %.2f E\n", (*message)->ship()->c_str(), (*message)->north(), (*message)->east());
    break;
  }

  auto client = must(ship.client(ferry::ferry::arrival));
  const auto answer = must(client.request([](flatbuffers::FlatBufferBuilder& b) {
    return ferry::CreateCallDirect(b, "Cuxhaven");
  }).get());
  std::printf("asked: %u minutes\n", answer->minutes());
}
