// A weather station, built without exceptions and without run-time type information.
#include <cstdio>

#include <midplane/midplane.hpp>

#include "station_midplane.hpp"

int failed(const midplane::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

auto reading(double celsius) {
  return [=](flatbuffers::FlatBufferBuilder& b) { return station::CreateReadingDirect(b, "roof", celsius); };
}

int main() {
  auto bus = midplane::Bus::open();
  if (!bus) return failed(bus.error());

  auto readings = bus->publisher(station::outside::readings, {.retain = true});
  if (!readings) return failed(readings.error());
  for (const double celsius : {20.5, 21.0}) {
    auto published = readings->publish(reading(celsius));
    if (!published) return failed(published.error());
  }

  auto inbox = bus->inbox(station::outside::readings);  // the last reading is retained for whom comes late
  if (!inbox) return failed(inbox.error());
  auto item = inbox->take(std::chrono::seconds{5});
  if (!item) return failed(item.error());
  if (const auto* message = std::get_if<midplane::Message<station::Reading>>(&*item)) {
    std::printf("%s: %.1f degrees\n", (*message)->sensor()->c_str(), (*message)->celsius());
  }

  auto server = bus->serve(station::outside::last, [](const midplane::Request<station::Question>&) {
    return reading(21.0);
  });
  auto client = bus->client(station::outside::last);
  if (!server || !client) return failed(server ? client.error() : server.error());
  auto answer = client->request([](flatbuffers::FlatBufferBuilder& b) {
    return station::CreateQuestionDirect(b, "roof");
  }).get();
  if (!answer) return failed(answer.error());
  std::printf("asked: %.1f degrees\n", (*answer)->celsius());
}
