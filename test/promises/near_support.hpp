#pragma once
/// What the tests of the promises in one process share: numbers as payloads, and a bus on a manual executor and clock.

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

namespace midplane::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Topic<Bytes> numbers{"numbers"};

/// A number as the payload of `size` bytes.
inline std::vector<std::byte> payload(std::uint64_t number, std::size_t size = 8) {
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &number, std::min(size, sizeof number));
  return bytes;
}
inline std::uint64_t number_in(const AnyMessage& message) {
  std::uint64_t number = 0;
  std::memcpy(&number, message.bytes().data(), std::min(message.bytes().size(), sizeof number));
  return number;
}
template <class P>
Result<Published> put(P& publisher, std::uint64_t number, std::size_t size = 8, const PublishOptions& options = {}) {
  return publisher.publish(payload(number, size), options);
}
using Numbers = std::vector<std::uint64_t>;

/// One thread runs everything; time stands still unless a test moves it.
struct World {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  Bus bus = Bus::open({.name = "near", .executor = loop, .clock = clock}).value();
  void settle() {
    while (loop->poll() != 0) {
    }
  }
};

inline SubscribeOptions with(Queue queue) {
  SubscribeOptions options;
  options.queue = queue;
  return options;
}

/// P3 at rest.
inline void check_conserved(const SinkStats& sink) {
  CHECK(sink.offered == sink.delivered + sink.dropped.total() + sink.waiting);
  CHECK(sink.in_transit == 0);
}
inline void check_conserved(const Bus& bus) {
  for (const SinkStats& sink : bus.stats().sinks) check_conserved(sink);
}

}  // namespace midplane::test
