/// What peers may make a bus keep has an end, also over many connections; what is good goes on beside it.

#include "siege.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

namespace {

/// A frame without records, valid in itself.
FrameBytes empty_frame(Attacker& evil) {
  evil.add({.type = RecordType::cancel});
  FrameBytes bytes = evil.frame();
  bytes.resize(wire::frame_header_bytes);
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + 12, &size, sizeof size);
  repair_checksum(bytes);
  return bytes;
}

std::uint64_t offered(const std::vector<SinkStats>& all) {
  std::uint64_t sum = 0;
  for (const SinkStats& one : all) sum += one.offered;
  return sum;
}

}  // namespace

TEST_CASE("frames without records keep no greeting alive that is not decided") {
  Siege siege;
  siege.evil.connect();
  siege.evil.greet();
  for (int i = 0; i < 10 && siege.evil.is_connected(); ++i) {
    siege.run(300ms);
    siege.evil.send_raw(empty_frame(siege.evil));
  }
  siege.run(100ms);
  CHECK_FALSE(siege.evil.is_connected());
  CHECK(siege.victim.up.size() == 1);
  siege.exchange();
}

TEST_CASE("frames without records are no sign of life of a peer that is up") {
  Siege siege;
  siege.evil.come();
  REQUIRE(siege.victim.up.size() == 2);
  for (int i = 0; i < 10 && siege.evil.is_connected(); ++i) {
    siege.run(300ms);
    siege.evil.send_raw(empty_frame(siege.evil));
  }
  siege.run(100ms);
  CHECK_FALSE(siege.evil.is_connected());
  CHECK(siege.victim.lost.size() == 1);
  siege.exchange();
}

TEST_CASE("the requests a peer says it takes bound those asked of it") {
  Siege siege;
  siege.evil.come();
  auto sink = siege.victim.links->service_sink(siege.victim.up.at(1).id, "ask").value();
  Asker asker;
  // Its hello said eight; the bus's own bound is 1024.
  for (std::uint64_t correlation = 1; correlation <= 8; ++correlation)
    CHECK(siege.victim.ask(*sink, asker, correlation, "q") == wire::Offer::taken);
  CHECK(siege.victim.ask(*sink, asker, 9, "q") == wire::Offer::refused);
  sink->cancel(asker, 3);
  CHECK(siege.victim.ask(*sink, asker, 10, "q") == wire::Offer::taken);
  siege.run();
  CHECK(siege.evil.records_in[static_cast<int>(RecordType::request)] == 9);
  siege.evil.transport.disconnect(siege.evil.connection);
  siege.run();
  CHECK(asker.failures.size() == 8);
}

TEST_CASE("what waits for a name when a link has given all of its names is dropped and counted; other topics go on") {
  Siege siege;
  const PeerId good = siege.victim.up.at(0).id;
  // One for "t", which was published already.
  for (std::size_t i = 1; i < names_per_link_max; ++i)
    REQUIRE(siege.victim.links->service_sink(good, "s" + std::to_string(i)));
  CHECK_FALSE(siege.victim.links->service_sink(good, "one.more"));
  siege.run();
  static constexpr TypeInfo tick{"test.Tick", 77, {}};
  siege.good.links->add_subscription(subscription(2, "u")).value();
  siege.run();
  auto late = siege.victim.links->topic_sink(good, "u", tick).value();
  late->join(2, nullptr);
  siege.run();
  const std::size_t before = siege.good.messages.size();
  siege.victim.transport->room = 0;
  const AnyMessage large = siege.victim.make(std::string(200'000, 'x'));
  for (int i = 0; i < 4; ++i) CHECK(siege.victim.sinks[0]->offer(*wire::envelope_of(large), {}) == wire::Offer::taken);
  const AnyMessage message = siege.victim.make("without a name");
  for (int i = 0; i < 3; ++i) CHECK(late->offer(*wire::envelope_of(message), {}) == wire::Offer::taken);
  CHECK(siege.victim.publish("behind them") == wire::Offer::taken);
  siege.victim.transport->make_room(1'000'000);
  siege.run(10s);
  CHECK(siege.good.messages.size() == before + 5);
  for (const SinkStats& one : siege.victim.links->stats()) {
    CHECK(one.waiting == 0);
    if (one.name == "u") CHECK(one.dropped[DropReason::too_large] == 3);
  }
  // At once when nothing has to wait.
  CHECK(late->offer(*wire::envelope_of(message), {}) == wire::Offer::dropped);
  siege.exchange();
}

TEST_CASE("peers that come and go under new names leave one entry behind, and sums hold") {
  Siege siege;
  constexpr std::size_t peers = 3 * far_totals_max;
  const AnyMessage message = siege.victim.make("m");
  const std::uint64_t before = offered(siege.victim.links->stats());
  for (std::size_t i = 0; i < peers; ++i) {
    siege.evil.come(100 + i);
    siege.evil.add_body(RecordType::subscribe, wire::encode(subscription(9, "t")));
    siege.evil.send();
    REQUIRE_FALSE(siege.victim.sinks.empty());
    siege.victim.sinks.back()->offer(*wire::envelope_of(message), {});
    siege.victim.sinks.clear();
    siege.evil.transport.disconnect(siege.evil.connection);
    siege.net.run();
  }
  const auto stats = siege.victim.links->stats();
  CHECK(stats.size() <= far_totals_max + away_max + 2);
  CHECK(offered(stats) == before + peers);
  std::size_t folded = 0;
  for (const SinkStats& one : stats) {
    if (one.peer != "(forgotten peers)" || one.kind != "link") continue;
    ++folded;
    CHECK(one.offered > far_totals_max);
    CHECK(one.offered == one.delivered + one.dropped.total());
  }
  CHECK(folded == 1);
  // Whoever is linked is counted by name.
  CHECK(std::any_of(stats.begin(), stats.end(), [](const SinkStats& one) { return one.peer == "good"; }));
}

TEST_CASE("names that peers give have a bound over all connections; those known go on") {
  Siege siege;
  const std::string pad(200, 'n');
  std::uint64_t incarnation = 100;
  std::size_t refused = 0;
  while (refused < 3 && incarnation < 200) {
    siege.evil.come(++incarnation);
    siege.evil.name({1, false, "t", {"test.Tick", 77}, 1, 1});
    for (std::uint32_t id = 2; id <= names_per_link_max && siege.evil.is_connected(); ++id) {
      siege.evil.name({id, false, pad + std::to_string(incarnation) + "." + std::to_string(id), {"test.Tick", 77}, 1, 1});
      if (id % 512 == 0) siege.evil.send();
    }
    refused += siege.evil.is_connected() ? 0 : 1;
    if (siege.evil.is_connected()) siege.evil.transport.disconnect(siege.evil.connection);
    siege.run();
    CHECK(siege.victim.memory->far_names_bytes() <= wire::far_names_bytes_max);
  }
  CHECK(refused == 3);
  CHECK(siege.counters().no_memory == 3);
  siege.exchange();
  // A new peer whose own name has no place any more is another peer all the same: its messages are verified.
  siege.evil.come(777'777);
  siege.evil.name({1, false, "t", {"test.Tick", 77}, 1, 1});
  siege.evil.add({.type = RecordType::message, .name = 1, .number = 1});
  siege.evil.send();
  CHECK(siege.evil.is_connected());
  CHECK_FALSE(siege.victim.messages.back().peer().empty());
  siege.exchange();
}
