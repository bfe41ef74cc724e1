// With the test kit no test waits and no network is needed: this one has a storm in it.
#include <cstdio>

#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "ferry_midplane.hpp"

using namespace std::chrono_literals;
namespace testing = midplane::testing;

int main() {
  const auto clock = testing::manual_clock();
  const auto loop = testing::manual_executor(clock);
  testing::FaultyNetwork sea{1};
  auto harbour = midplane::Bus::open({.name = "harbour", .executor = loop, .clock = clock});
  auto ship = midplane::Bus::open({.name = "ship", .executor = loop, .clock = clock});
  if (!harbour->attach(sea.transport("harbour", {.listen = {"sim://harbour"}}))) return 1;
  if (!ship->attach(sea.transport("ship", {.peers = {"sim://harbour"}}))) return 1;
  auto server = harbour->serve(ferry::ferry::arrival, [](const midplane::Request<ferry::Call>&) {
    return [](flatbuffers::FlatBufferBuilder& b) { return ferry::CreateArrival(b, 25); };
  });
  auto client = ship->client(ferry::ferry::arrival);
  const auto call = [](flatbuffers::FlatBufferBuilder& b) { return ferry::CreateCallDirect(b, "Cuxhaven"); };

  auto calm = client->request(call).get();
  if (!calm || (*calm)->minutes() != 25) return 1;
  sea.cut("harbour", "ship");
  auto storm = client->request(call).get();
  if (storm) return 1;
  std::printf("calm: %u minutes, storm: %s\n", (*calm)->minutes(), std::string{name_of(storm.error().code())}.c_str());
}
