#include <doctest/doctest.h>

#include <memory_resource>

#include "call/service_route.hpp"

using namespace midplane;
using namespace midplane::call;

namespace {

struct FarServer final : wire::Sink {
  wire::Offer offer(wire::Envelope&) noexcept override { return wire::Offer::dropped; }
  void cancel(wire::ReturnAddress&, std::uint64_t) noexcept override {}
  [[nodiscard]] std::string_view peer() const noexcept override { return "far"; }
};

}  // namespace

TEST_CASE("services of peers that have gone do not pile up; who is served, typed or held stays") {
  auto* memory = wire::PayloadMemory::make(std::pmr::new_delete_resource(), 1 << 20);
  {
    Services services{*memory};
    static constexpr TypeInfo type{"test.Question", 7, {}};
    const auto held = services.open("held");
    const auto far = std::make_shared<FarServer>();
    services.open("served")->add(far);
    CHECK(services.open("typed")->state_types(type, type));
    for (int i = 0; i < 20'000; ++i) {
      const auto route = services.open("gone." + std::to_string(i));
      route->add(far);
      route->remove(*far);
    }
    CHECK(services.size() <= 4096 + 1);
    CHECK(services.find("held") == held);
    REQUIRE(services.find("served"));
    CHECK(services.find("served")->has_server());
    CHECK(services.find("typed"));
    CHECK(services.find("gone.19999"));
  }
  memory->abandon();
}
