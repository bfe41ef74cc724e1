/// The transport of examples/own_transport.cpp obeys the law of a Transport as the shipped ones do.
#include <midplane/executors.hpp>

#include "memory_transport.hpp"

#include "testing/test_loop.hpp"
#include "testing/transport_law.hpp"

namespace midplane::test {

struct MemoryWorld {
  std::unique_ptr<Transport> make() {
    return std::make_unique<memory::Transport>(medium, std::vector<std::string>{}, std::vector<std::string>{});
  }
  TransportContext context(Inbound& inbound) { return {inbound, loop.clock(), *random, loop, std::size_t{4} << 20}; }
  std::string somewhere() { return "memory://somewhere"; }
  std::string nowhere() { return "memory://nowhere"; }
  bool until(Recorder&, Function<bool()> done) {
    while (!done())
      if (!loop.turn()) return done();
    return true;
  }

  std::shared_ptr<memory::Medium> medium = std::make_shared<memory::Medium>();
  TestLoop loop;
  std::shared_ptr<Random> random = seeded_random(7);
};

MIDPLANE_TRANSPORT_LAW(MemoryWorld);

TEST_CASE("an inline executor is refused, for it would call back inside send") {
  MemoryWorld world;
  Recorder recorder;
  const auto executor = inline_executor();
  const auto started = world.make()->start({recorder, world.loop.clock(), *world.random, *executor, 1 << 20});
  REQUIRE_FALSE(started);
  CHECK(started.error().code() == ErrorCode::unsupported);
}

TEST_CASE("two listeners of one address: the second is refused") {
  MemoryWorld world;
  const auto first = world.make(), second = world.make();
  CHECK(first->listen("memory://here"));
  CHECK_FALSE(second->listen("memory://here"));
  first->stop();
  CHECK(second->listen("memory://here"));
}

}  // namespace midplane::test
