/// Two buses greet, one subscribes, the other publishes one message: prints every frame between them, a line each,
/// `dialling` or `listening` (who sent it) and the bytes in hexadecimal. Every run prints the same.
#include <iostream>
#include <string>

#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

using namespace midplane;
using namespace std::chrono_literals;

namespace {

inline constexpr Topic<Bytes> weather{"weather"};

/// Prints what passes through to the transport behind it.
class Recorder final : public Transport {
 public:
  Recorder(std::string who, std::unique_ptr<Transport> behind) : who_{std::move(who)}, behind_{std::move(behind)} {}
  Result<void> start(TransportContext context) override { return behind_->start(context); }
  [[nodiscard]] std::span<const std::string> listen_endpoints() const noexcept override {
    return behind_->listen_endpoints();
  }
  [[nodiscard]] std::span<const std::string> dial_endpoints() const noexcept override {
    return behind_->dial_endpoints();
  }
  Result<std::string> listen(std::string_view endpoint) override { return behind_->listen(endpoint); }
  Result<void> dial(std::string_view endpoint) override { return behind_->dial(endpoint); }
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override {
    const Sent sent = behind_->send(id, frame);
    if (sent != Sent::taken) return sent;
    constexpr char digits[] = "0123456789abcdef";
    std::cout << who_ << ' ';
    for (const std::byte one : frame)
      std::cout << digits[std::to_integer<unsigned>(one) >> 4] << digits[std::to_integer<unsigned>(one) & 15];
    std::cout << '\n';
    return sent;
  }
  void disconnect(ConnectionId id) noexcept override { behind_->disconnect(id); }
  [[nodiscard]] bool flushed() const noexcept override { return behind_->flushed(); }
  void stop() noexcept override { behind_->stop(); }

 private:
  const std::string who_;
  const std::unique_ptr<Transport> behind_;
};

}  // namespace

int main() {
  const auto clock = testing::manual_clock();
  const auto loop = manual_executor(clock);
  testing::FaultyNetwork network{1};
  const auto open = [&](const char* name, std::uint64_t seed) {
    return Bus::open({.name = name, .executor = loop, .clock = clock, .random = seeded_random(seed)}).value();
  };
  auto station = open("station", 1);
  auto display = open("display", 2);
  int arrived = 0;
  auto publisher = station.publisher(weather).value();
  auto subscription = display.subscribe(weather, [&](const Message<Bytes>&) { ++arrived; }).value();
  const auto attach = [&](Bus& bus, const char* who, testing::FaultyOptions ends) {
    bus.attach(std::make_unique<Recorder>(who, network.transport(std::string{bus.name()}, std::move(ends)))).value();
  };
  attach(station, "listening", {.listen = {"sim://station"}, .peers = {}});
  attach(display, "dialling", {.listen = {}, .peers = {"sim://station"}});
  if (!subscription.wait_confirmed(5s)) return 1;
  const std::string words = "rain, 7 degrees";
  if (!publisher.publish(std::as_bytes(std::span{words}))) return 1;
  // Until each has sent its first heartbeat.
  testing::run_through(*loop, *clock, 1s);
  std::cout.flush();
  // What follows is the end, which is not part of the example.
  std::_Exit(arrived == 1 ? 0 : 1);
}
