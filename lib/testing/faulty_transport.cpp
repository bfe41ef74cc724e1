#include <midplane/testing/faulty_transport.hpp>

#include "testing/faulty_world.hpp"

namespace midplane::inline v0::testing {
namespace {

class FaultyTransport final : public Transport {
 public:
  FaultyTransport(std::shared_ptr<FaultyWorld> world, std::string node, FaultyOptions options)
      : world_{std::move(world)}, node_{std::make_shared<Node>(*world_, std::move(node))}, options_{std::move(options)} {}
  ~FaultyTransport() override { world_->stop(node_); }

  Result<void> start(TransportContext context) override { return world_->start(node_, context), ok(); }
  std::span<const std::string> listen_endpoints() const noexcept override { return options_.listen; }
  std::span<const std::string> dial_endpoints() const noexcept override { return options_.peers; }
  Result<std::string> listen(std::string_view endpoint) override { return world_->listen(node_, endpoint); }
  Result<void> dial(std::string_view endpoint) override { return world_->dial(node_, endpoint); }
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override { return world_->send(id, frame); }
  void disconnect(ConnectionId id) noexcept override { world_->disconnect(id); }
  bool flushed() const noexcept override { return world_->flushed(*node_); }
  void stop() noexcept override { world_->stop(node_); }

 private:
  std::shared_ptr<FaultyWorld> world_;
  std::shared_ptr<Node> node_;
  FaultyOptions options_;
};

}  // namespace

FaultyNetwork::FaultyNetwork(std::uint64_t seed) : world_{std::make_shared<FaultyWorld>(seed)} {}
FaultyNetwork::FaultyNetwork(FaultyNetwork&&) noexcept = default;
FaultyNetwork& FaultyNetwork::operator=(FaultyNetwork&&) noexcept = default;
FaultyNetwork::~FaultyNetwork() = default;

std::unique_ptr<Transport> FaultyNetwork::transport(std::string node, FaultyOptions options) {
  return std::make_unique<FaultyTransport>(world_, std::move(node), std::move(options));
}

void FaultyNetwork::faults(Faults faults) { world_->faults({}, {}, faults); }
void FaultyNetwork::faults(std::string_view from, std::string_view to, Faults faults) {
  world_->faults(std::string{from}, std::string{to}, faults);
}
void FaultyNetwork::cut(std::string_view a, std::string_view b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}
void FaultyNetwork::cut_one_way(std::string_view from, std::string_view to) {
  world_->cut(std::string{from}, std::string{to});
}
void FaultyNetwork::heal(std::string_view a, std::string_view b) {
  world_->heal(std::string{a}, std::string{b});
  world_->heal(std::string{b}, std::string{a});
}
void FaultyNetwork::half_open(std::string_view told, std::string_view unaware) { world_->half_open(told, unaware); }
void FaultyNetwork::disconnect(std::string_view a, std::string_view b) { world_->disconnect(a, b); }
void FaultyNetwork::crash(std::string_view node) { world_->crash(node); }
std::uint64_t FaultyNetwork::trace_hash() const { return world_->trace_hash(); }
void FaultyNetwork::on_trace(Function<void(std::string_view)> sink) { world_->on_trace(std::move(sink)); }

}  // namespace midplane::inline v0::testing
