#pragma once
/// Worlds of faulty transports, in virtual time on one thread.

#include <midplane/testing/faulty_transport.hpp>

#include "testing/recorder.hpp"
#include "testing/test_loop.hpp"

namespace midplane::test {

struct FaultyLoop {
  explicit FaultyLoop(std::uint64_t seed) : network{seed} {}

  TransportContext context(Inbound& inbound) { return {inbound, clock, *random, loop, std::size_t{4} << 20}; }
  /// Gives up when nothing can happen any more.
  bool until(Recorder&, Function<bool()> done) {
    while (!done())
      if (!loop.turn()) return done();
    return true;
  }
  void settle() {
    while (loop.turn()) continue;
  }

  testing::FaultyNetwork network;
  JumpingClock clock;
  TestLoop loop{&clock};
  std::shared_ptr<Random> random = seeded_random(7);
};

/// Delays are no fault: the law holds with them, whatever the seed.
template <std::uint64_t seed>
struct FaultyLawWorld : FaultyLoop {
  FaultyLawWorld() : FaultyLoop{seed} {
    network.faults({.delay_max = std::chrono::milliseconds{5 * static_cast<int>(seed)}, .bytes_in_flight_max = 128 << 10});
  }
  std::unique_ptr<Transport> make() { return network.transport("node" + std::to_string(nodes++)); }
  std::string somewhere() { return "sim://somewhere"; }
  std::string nowhere() { return "sim://nowhere"; }
  int nodes = 0;
};

}  // namespace midplane::test
