// A depot and an office: two buses with a link over ZeroMQ between them. In life they are two processes on two hosts.
#include <cstdio>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

#include "parcels_midplane.hpp"

using namespace std::chrono_literals;
using parcels::Scan;

int failed(const midplane::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

auto scan(std::uint64_t parcel) {
  return [=](flatbuffers::FlatBufferBuilder& b) { return parcels::CreateScanDirect(b, parcel, "north"); };
}

int main() {
  auto depot = midplane::Bus::open({.name = "depot"});
  if (!depot) return failed(depot.error());
  if (auto attached = depot->attach(midplane::zmq::transport({.listen = {"tcp://127.0.0.1:0"}})); !attached)
    return failed(attached.error());
  auto office = midplane::Bus::open({.name = "office"});
  if (!office) return failed(office.error());
  if (auto attached = office->attach(midplane::zmq::transport({.peers = depot->listening()})); !attached)
    return failed(attached.error());

  auto scans = depot->publisher(parcels::tracking::scans);
  auto server = depot->serve(parcels::tracking::where, [](const midplane::Request<parcels::Where>& where) {
    return scan(where->parcel());
  });
  auto inbox = office->inbox(parcels::tracking::scans);
  auto client = office->client(parcels::tracking::where);
  if (!scans || !server || !inbox || !client) return 1;

  if (auto matched = scans->wait_matched(1, 10s); !matched) return failed(matched.error());
  if (auto published = scans->publish(scan(4711)); !published) return failed(published.error());
  while (true) {
    auto item = inbox->take(10s);
    if (!item) return failed(item.error());
    const auto* message = std::get_if<midplane::Message<Scan>>(&*item);
    if (!message) continue;  // an event: the subscription is confirmed
    std::printf("parcel %llu scanned at %s, says %s\n", static_cast<unsigned long long>((*message)->parcel()),
                (*message)->depot()->c_str(), std::string{message->peer()}.c_str());
    break;
  }
  auto answer = client->request([](flatbuffers::FlatBufferBuilder& b) { return parcels::CreateWhere(b, 4711); }).get();
  if (!answer) return failed(answer.error());
  std::printf("asked: parcel 4711 is at %s\n", (*answer)->depot()->c_str());
}
