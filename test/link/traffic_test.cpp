#include <doctest/doctest.h>

#include "link/peer_return.hpp"
#include "worlds.hpp"

using namespace midplane;
using namespace midplane::link;
using namespace midplane::link::testing;
using namespace std::chrono_literals;

namespace {

/// `a` publishes `host.cpu` and serves `ask`; `b` subscribes and asks.
struct Pair : World {
  explicit Pair(LinkOptions options = {}, Queue queue = {}) : a{*this, "a", 1, options}, b{*this, "b", 2, options} {
    a.topic = "host.cpu";
    a.links->add_service({"ask", {}, {}}).value();
    b.links->add_subscription(subscription(1, "host.*", queue)).value();
    b.links->add_subscription(subscription(2, "host.cpu", queue)).value();
    a.attach({"mem:a"}, {});
    b.attach({}, {"mem:a"});
    run();
    service = b.links->service_sink(b.up.at(0).id, "ask").value();
    run();
  }
  Bus a, b;
  std::shared_ptr<ServiceSink> service;
};

SinkStats only(const std::vector<SinkStats>& all) {
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace

TEST_CASE("two subscriptions of one peer to one topic share a sink, so a message crosses once") {
  Pair pair;
  REQUIRE(pair.a.sinks.size() == 1);
  CHECK(pair.a.publish("one") == wire::Offer::taken);
  CHECK(pair.a.publish("") == wire::Offer::taken);
  pair.run();
  REQUIRE(pair.b.messages.size() == 2);
  CHECK(pair.b.text(0) == "one");
  CHECK(pair.b.text(1).empty());
  CHECK(pair.b.messages[0].topic() == "host.cpu");
  CHECK(pair.b.messages[0].peer() == "a");
  CHECK(pair.b.messages[0].sequence() == 1);
  CHECK(pair.b.messages[1].sequence() == 2);
  CHECK(pair.b.types[0] == "test.Tick");
  CHECK(pair.b.aligned);
  const SinkStats stats = only(pair.a.links->stats());
  CHECK(stats.offered == 2);
  CHECK(stats.delivered == 2);  // acknowledged
  CHECK(stats.waiting == 0);
}

TEST_CASE("stamp, headers, time to live and the retained mark travel") {
  Pair pair;
  AnyMessage message = pair.a.make("kept");
  wire::Envelope* envelope = wire::envelope_of(message);
  envelope->sent_at = 1234567;
  auto* headers = new Headers;
  headers->trace.emplace();
  headers->trace->span_id[7] = std::byte{9};
  headers->tenant = "acme";
  headers->priority = Priority::high;
  headers->entries = {{"k", "v"}, {"l", ""}};
  const Headers sent = *headers;
  envelope->extra->headers = headers;
  envelope->extra->deadline = pair.clock.now() + 2s;
  pair.a.retained = message;
  pair.b.links->add_subscription(subscription(3, "host.>")).value();
  pair.run();
  envelope->extra->deadline = pair.clock.now();
  CHECK(pair.a.sinks[0]->offer(*envelope, {}) == wire::Offer::dropped);
  REQUIRE(pair.b.messages.size() == 1);
  const AnyMessage& arrived = pair.b.messages[0];
  CHECK(arrived.retained());
  CHECK(pair.b.arrivals[0].first == 3);  // for the joiner alone
  CHECK(arrived.sent_at() == 1234567);
  REQUIRE(arrived.headers() != nullptr);
  CHECK(*arrived.headers() == sent);
  CHECK(wire::envelope_of(arrived)->extra->deadline == pair.clock.now() + 2s);
  pair.a.retained.reset();
  CHECK(only(pair.a.links->stats()).dropped[DropReason::expired] == 1);
}

TEST_CASE("P16 a link is flushed when the peer has taken what was sent, not when the transport has written it") {
  Pair pair;
  pair.a.transport->claims_flushed = true;
  CHECK(pair.a.links->flushed());
  CHECK(pair.a.publish("on its way") == wire::Offer::taken);
  CHECK_FALSE(pair.a.links->flushed());
  CHECK_FALSE(pair.a.links->drain(pair.clock.now() + 1s));  // asks; nobody carries it yet
  pair.run();
  CHECK(pair.b.messages.size() == 1);
  CHECK(pair.a.links->flushed());
}

TEST_CASE("a full queue drops the newest, counts it, and the receiver sees the numbers that are missing") {
  Pair pair{{}, {.messages = 3}};
  pair.a.transport->room = 1;
  const std::string half(1500, 'x');  // one fills the frame that gathers while the transport takes nothing
  for (int i = 0; i < 7; ++i) static_cast<void>(pair.a.publish(half));
  SinkStats stats = only(pair.a.links->stats());
  CHECK(stats.offered == 7);
  CHECK(stats.in_transit == 2);
  CHECK(stats.waiting == 3);
  CHECK(stats.dropped[DropReason::queue_full_newest] == 2);
  CHECK_FALSE(pair.a.links->flushed());
  pair.a.transport->make_room(100);
  pair.run();
  CHECK(pair.a.publish("n") == wire::Offer::taken);
  CHECK(pair.a.links->drain(pair.clock.now() + 1s) == false);  // this world has nothing to drive
  pair.run();
  CHECK(pair.a.links->flushed());
  CHECK(pair.b.messages.size() == 6);
  REQUIRE(pair.b.gaps.size() == 1);
  CHECK(pair.b.gaps[0] == std::pair<std::uint64_t, std::uint64_t>{6, 7});
  stats = only(pair.a.links->stats());
  CHECK(stats.offered == stats.delivered + stats.dropped.total());
}

TEST_CASE("the bytes of a queue are bounded, and control passes that bound") {
  Pair pair{{}, {.bytes = 1600}};
  pair.a.transport->room = 0;
  const std::string half(1500, 'x');
  CHECK(pair.a.publish(half) == wire::Offer::taken);  // in the open frame
  CHECK(pair.a.publish(half) == wire::Offer::taken);  // waits
  CHECK(pair.a.publish(half) == wire::Offer::dropped);
  CHECK(pair.a.publish("small") == wire::Offer::taken);
  pair.a.links->add_subscription(subscription(8, "y")).value();
  pair.a.transport->make_room(100);
  pair.run();
  CHECK(pair.b.messages.size() == 3);
  CHECK(pair.a.confirmed == std::vector<std::uint32_t>{8});
}

TEST_CASE("drop_oldest and latest leave the newest waiting, and each reason is counted") {
  for (const Overflow overflow : {Overflow::drop_oldest, Overflow::latest}) {
    Pair pair{{}, {.messages = 2, .overflow = overflow}};
    pair.a.transport->room = 0;
    for (char c = '1'; c <= '6'; ++c) CHECK(pair.a.publish(std::string(1500, c)) == wire::Offer::taken);
    pair.a.transport->make_room(100);
    pair.run();
    std::string arrived;
    for (std::size_t i = 0; i < pair.b.messages.size(); ++i) arrived += pair.b.text(i)[0];
    CHECK(arrived == (overflow == Overflow::latest ? "16" : "156"));
    const SinkStats stats = only(pair.a.links->stats());
    CHECK(stats.dropped[overflow == Overflow::latest ? DropReason::conflated : DropReason::queue_full_oldest] ==
          6 - arrived.size());
  }
}

TEST_CASE("a message larger than a frame is dropped as too_large") {
  LinkOptions options;
  options.message_bytes_max = 1000;
  Pair pair{options};
  CHECK(pair.a.publish(std::string(200'000, 'x')) == wire::Offer::dropped);
  CHECK(only(pair.a.links->stats()).dropped[DropReason::too_large] == 1);
}

TEST_CASE("P8 frames that vanish on a living connection end it, and what they held is a gap over the next one") {
  Pair pair;
  CHECK(pair.a.publish("one") == wire::Offer::taken);
  pair.run();
  pair.net.tap = [](auto&) { return false; };
  CHECK(pair.a.publish("two") == wire::Offer::taken);
  CHECK(pair.a.publish("three") == wire::Offer::taken);
  pair.run();
  pair.net.tap = nullptr;
  pair.run(3s);
  CHECK(pair.b.lost.size() == 1);
  REQUIRE(pair.b.gaps.size() == 1);
  CHECK(pair.b.gaps[0] == std::pair<std::uint64_t, std::uint64_t>{2, 3});
  CHECK(pair.b.links->counters().gaps == 2);
}

TEST_CASE("P8 a tail that was dropped before it left is noticed with the next heartbeat") {
  Pair pair{{}, {.messages = 1}};
  pair.a.transport->room = 0;
  for (int i = 0; i < 4; ++i) static_cast<void>(pair.a.publish(std::string(1500, 'x')));
  pair.a.transport->make_room(100);
  pair.run(1s);
  CHECK(pair.b.messages.size() == 2);
  REQUIRE(pair.b.gaps.size() == 1);
  CHECK(pair.b.gaps[0] == std::pair<std::uint64_t, std::uint64_t>{3, 4});
}

TEST_CASE("P8 a frame that comes twice is counted and has no effect, request or message") {
  Asker asker;
  Pair pair;
  pair.net.tap = [&](std::vector<std::byte>& bytes) {
    wire::FrameReader reader;
    if (reader.open(bytes) == wire::FrameFault::none) {
      auto& to = reader.head().incarnation.low == 1 ? pair.b : pair.a;
      to.transport->inject(to.transport->only_connection(), bytes);
    }
    return true;
  };
  CHECK(pair.a.publish("one") == wire::Offer::taken);
  static_cast<void>(pair.b.ask(*pair.service, asker, 1, "q"));
  pair.run();
  CHECK(pair.b.messages.size() == 1);
  CHECK(pair.a.requests.size() == 1);
  CHECK(pair.b.links->counters().repeated_frames >= 1);
  CHECK(pair.a.links->counters().repeated_frames >= 1);
  CHECK(pair.a.lost.empty());
}

TEST_CASE("P10 what is not known to have arrived when the link ends is link_lost, and the sums hold over connections") {
  Pair pair;
  pair.a.transport->room = 1;
  for (int i = 0; i < 4; ++i) static_cast<void>(pair.a.publish(std::string(1500, 'x')));
  const auto sink = pair.a.sinks[0];
  pair.b.transport->disconnect(pair.b.transport->only_connection());
  pair.run();
  CHECK(sink->offer(*wire::envelope_of(pair.a.make("late")), {}) == wire::Offer::dropped);
  const SinkStats stats = only(pair.a.links->stats());
  CHECK(stats.offered == 5);
  CHECK(stats.delivered + stats.dropped[DropReason::link_lost] == 5);
  CHECK(stats.dropped[DropReason::link_lost] >= 3);
  CHECK(stats.waiting == 0);
}

TEST_CASE("what waits for a full subscription alone leaves at once when that one ends") {
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.topic = "host.cpu";
  b.links->add_subscription(subscription(1, "host.>")).value();
  b.links->add_subscription(subscription(2, "host.cpu", {.messages = 1, .overflow = Overflow::refuse})).value();
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run();
  CHECK(a.publish("one") == wire::Offer::taken);
  world.run();
  CHECK(a.publish("two") == wire::Offer::taken);
  world.run(5s);  // heartbeats alone move nothing
  CHECK(b.messages.size() == 1);
  CHECK(only(a.links->stats()).waiting == 1);
  SUBCASE("as it leaves") { b.links->remove_subscription(2); }
  SUBCASE("as it does not take the type") {
    const FarTopic* const topic = b.far_topics.at(0);
    b.links->refuse_schema(b.up.at(0).id, 2, *topic, {ErrorCode::schema_mismatch, "the types do not agree"});
  }
  world.run();
  CHECK(b.messages.size() == 2);
  CHECK(only(a.links->stats()).waiting == 0);
}

TEST_CASE("a request is answered over the link, with its deadline as remaining time") {
  Asker asker;
  Pair pair;
  CHECK(pair.b.ask(*pair.service, asker, 41, "question", 3s) == wire::Offer::taken);
  pair.run();
  REQUIRE(pair.a.requests.size() == 1);
  const wire::Envelope* request = wire::envelope_of(pair.a.requests[0]);
  CHECK(request->kind == wire::Kind::request);
  CHECK(request->name->text == "ask");
  CHECK(request->extra->deadline - pair.clock.now() >= 3s);
  CHECK(request->extra->deadline - pair.clock.now() < 3s + 2us);
  CHECK_FALSE(request->extra->return_address->cancelled(request->extra->correlation));
  pair.a.answer(pair.a.requests[0], "answer");
  pair.a.answer(pair.a.requests[0], "again");
  pair.run();
  REQUIRE(asker.replies.size() == 1);
  CHECK(asker.replies[0] == std::pair<std::uint64_t, std::string>{41, "answer"});
  CHECK(asker.failures.empty());
}

TEST_CASE("an error of a handler's own keeps its words when it has no detail") {
  const wire::Body body = wire::encode(Error{ErrorCode::app_error, Fate::failed, "no loaves"}.with_app_code(7));
  const std::optional<Error> read = wire::decode_failure(body);
  REQUIRE(read);
  CHECK(read->detail() == "no loaves");
  CHECK(read->app_code() == 7);
}

TEST_CASE("an answer that is an error keeps code, fate, app code and words") {
  Asker asker;
  Pair pair;
  static_cast<void>(pair.b.ask(*pair.service, asker, 1, "q"));
  pair.run();
  const wire::Envelope* request = wire::envelope_of(pair.a.requests.at(0));
  request->extra->return_address->fail(
      request->extra->correlation,
      Error{ErrorCode::app_error, Fate::failed, "the handler answered fail"}.with("no such pid").with_app_code(-7));
  pair.run();
  REQUIRE(asker.failures.size() == 1);
  const Error& error = asker.failures[0].second;
  CHECK(error.code() == ErrorCode::app_error);
  CHECK(error.fate() == Fate::failed);
  CHECK(error.app_code() == -7);
  CHECK(error.detail() == "the handler answered fail: no such pid");
}

TEST_CASE("cancel tells the server once; the late answer goes nowhere") {
  Asker asker;
  Pair pair;
  static_cast<void>(pair.b.ask(*pair.service, asker, 5, "q"));
  pair.run();
  const wire::Envelope* request = wire::envelope_of(pair.a.requests.at(0));
  int gave_up = 0;
  request->extra->return_address->when_cancelled(request->extra->correlation, [&] { ++gave_up; });
  pair.service->cancel(asker, 5);
  pair.service->cancel(asker, 5);
  pair.run();
  CHECK(gave_up == 1);
  CHECK(request->extra->return_address->cancelled(request->extra->correlation));
  pair.a.answer(pair.a.requests[0], "late");
  pair.run();
  CHECK(asker.replies.empty());
  CHECK(asker.failures.empty());
}

TEST_CASE("a large request cancelled before it left never leaves") {
  Asker asker;
  Pair pair;
  pair.b.transport->room = 0;
  CHECK(pair.b.ask(*pair.service, asker, 5, std::string(9000, 'q')) == wire::Offer::taken);
  pair.b.transport->room = 0;
  CHECK(pair.b.ask(*pair.service, asker, 6, std::string(9000, 'r')) == wire::Offer::taken);
  pair.service->cancel(asker, 6);
  pair.b.transport->make_room(100);
  pair.run();
  REQUIRE(pair.a.requests.size() == 1);
  CHECK(pair.a.requests[0].bytes().size() == 9000);
}

TEST_CASE("a lost peer ends each pending request once: not_started when it had not left") {
  Asker asker;
  Pair pair;
  static_cast<void>(pair.b.ask(*pair.service, asker, 1, "left"));
  pair.b.transport->room = 0;
  static_cast<void>(pair.b.ask(*pair.service, asker, 2, "waits"));
  pair.run();
  const wire::Envelope* request = wire::envelope_of(pair.a.requests.at(0));
  bool gave_up = false;
  request->extra->return_address->when_cancelled(request->extra->correlation, [&] { gave_up = true; });
  pair.b.transport->disconnect(pair.b.transport->only_connection());
  pair.run();
  REQUIRE(asker.failures.size() == 2);
  for (const auto& [correlation, error] : asker.failures) {
    CHECK(error.code() == ErrorCode::peer_lost);
    CHECK(error.fate() == (correlation == 1 ? Fate::maybe_executed : Fate::not_started));
  }
  CHECK(gave_up);
  CHECK(pair.b.ask(*pair.service, asker, 3, "late") == wire::Offer::dropped);
  pair.a.answer(pair.a.requests[0], "into the void");
  CHECK(asker.failures.size() == 2);
}

TEST_CASE("beyond the unanswered requests a peer may have, both sides say busy") {
  LinkOptions options;
  options.requests_max = 2;
  Asker asker;
  Pair pair{options};
  CHECK(pair.b.ask(*pair.service, asker, 1, "q") == wire::Offer::taken);
  CHECK(pair.b.ask(*pair.service, asker, 2, "q") == wire::Offer::taken);
  CHECK(pair.b.ask(*pair.service, asker, 3, "q") == wire::Offer::refused);
  pair.run();
  // Cancelled here, still running there: the server's own bound holds.
  pair.service->cancel(asker, 1);
  CHECK(pair.b.ask(*pair.service, asker, 4, "q") == wire::Offer::taken);
  pair.run();
  REQUIRE(asker.failures.size() == 1);
  CHECK(asker.failures[0].first == 4);
  CHECK(asker.failures[0].second.code() == ErrorCode::busy);
}

TEST_CASE("a request past its deadline does not leave") {
  Asker asker;
  Pair pair;
  CHECK(pair.b.ask(*pair.service, asker, 1, "q", 0s) == wire::Offer::taken);
  REQUIRE(asker.failures.size() == 1);
  CHECK(asker.failures[0].second.code() == ErrorCode::expired);
  pair.run();
  CHECK(pair.a.requests.empty());
}

TEST_CASE("stop ends what waits as closed, and handles that remain do no harm") {
  Asker asker;
  Pair pair;
  static_cast<void>(pair.b.ask(*pair.service, asker, 1, "q"));
  pair.run();
  pair.b.links->stop();
  REQUIRE(asker.failures.size() == 1);
  CHECK(asker.failures[0].second.code() == ErrorCode::closed);
  CHECK(asker.failures[0].second.fate() == Fate::maybe_executed);
  CHECK(pair.b.ask(*pair.service, asker, 2, "q") == wire::Offer::dropped);
  CHECK_FALSE(pair.b.links->add_subscription(subscription(5, "x")));
  pair.run();
  CHECK(pair.a.lost.size() == 1);
  CHECK(pair.executor.timers.size() <= 1);
}
