/// What happens at the bound of a queue: every policy, with its counters, near and far alike.
#include "setting.hpp"

#include <algorithm>
#include <map>
#include <numeric>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> flow{"flow.a"};
inline constexpr Topic<Bytes> other{"flow.b"};
using Texts = std::vector<std::string>;

SubscribeOptions with(std::size_t messages, Overflow overflow, Duration block_for = 1s) {
  return {.queue = Queue{.messages = messages, .overflow = overflow, .block_for = block_for}};
}

/// What waits in an inbox; what happened to it is left out.
Texts waiting_in(Inbox<Bytes>& inbox) {
  Texts texts;
  while (auto item = inbox.try_take()) {
    if (const auto* message = std::get_if<Message<Bytes>>(&*item)) texts.push_back(text(*message));
  }
  return texts;
}
/// Events wait in an inbox as items do: from here on only messages are in it.
template <class P>
void meet_empty(Setting& s, Inbox<Bytes>& inbox, P& publisher, unsigned n = 1) {
  s.meet(inbox, publisher, n);
  CHECK(waiting_in(inbox).empty());
}
void check_at_rest(const SinkStats& sink) {
  CHECK(sink.offered == sink.delivered + sink.dropped.total() + sink.waiting);
  CHECK(sink.in_transit == 0);
}
/// So many were offered, and it is known what became of each: a sender counts that a moment later.
template <class Sink>
bool has(const Sink& sink, std::uint64_t offered) {
  const SinkStats stats = sink.stats();
  return stats.offered == offered && stats.in_transit == 0;
}
std::uint64_t dropped_at(const Bus& bus, std::string_view kind) {
  std::uint64_t sum = 0;
  for (const SinkStats& sink : bus.stats().sinks) sum += sink.kind == kind ? sink.dropped.total() : 0;
  return sum;
}

}  // namespace

EVERYWHERE("P4 drop_newest keeps the first messages and counts the others") {
  auto inbox = s.in().inbox(flow, with(4, Overflow::drop_newest)).value();
  auto publisher = s.out().publisher(flow).value();
  meet_empty(s, inbox, publisher);
  for (int i = 0; i < 10; ++i) CHECK(publisher.publish(bytes(std::to_string(i)))->sinks == 1);
  CHECK(s.wait_until([&] { return has(inbox, 10); }));
  CHECK(inbox.stats().waiting == 4);
  CHECK(inbox.stats().dropped[DropReason::queue_full_newest] == 6);
  CHECK(waiting_in(inbox) == Texts{"0", "1", "2", "3"});
  CHECK(inbox.stats().delivered == 4);
  check_at_rest(inbox.stats());
}

EVERYWHERE("P4 the bound of payload bytes holds as the bound of messages does") {
  auto inbox = s.in().inbox(flow, {.queue = Queue{.messages = 100, .bytes = 1000}}).value();
  auto publisher = s.out().publisher(flow).value();
  meet_empty(s, inbox, publisher);
  for (int i = 0; i < 10; ++i) CHECK(publisher.publish(bytes(std::string(300, 'x'))));
  // A link that is still slow may have to drop some itself, by the same bound.
  const auto at_the_link = [&] {
    std::uint64_t dropped = 0;
    for (const SinkStats& sink : s.out().stats().sinks) {
      if (sink.kind == "link") dropped += sink.dropped[DropReason::queue_full_newest];
    }
    return dropped;
  };
  CHECK(s.wait_until([&] { return inbox.stats().offered + at_the_link() == 10; }));
  CHECK(inbox.stats().waiting == 3);
  CHECK(inbox.stats().dropped[DropReason::queue_full_newest] + at_the_link() == 7);
  check_at_rest(inbox.stats());
}

EVERYWHERE("P4 drop_oldest keeps the last messages and counts the others") {
  auto inbox = s.in().inbox(flow, with(4, Overflow::drop_oldest)).value();
  auto publisher = s.out().publisher(flow).value();
  meet_empty(s, inbox, publisher);
  for (int i = 0; i < 10; ++i) CHECK(publisher.publish(bytes(std::to_string(i)))->sinks == 1);
  CHECK(s.wait_until([&] { return has(inbox, 10); }));
  CHECK(inbox.stats().waiting == 4);
  CHECK(inbox.stats().dropped[DropReason::queue_full_oldest] == 6);
  CHECK(waiting_in(inbox) == Texts{"6", "7", "8", "9"});
  check_at_rest(inbox.stats());
}

EVERYWHERE("P4 latest keeps one message per topic; a new topic beyond the bound is dropped as the newest") {
  auto inbox = s.in().inbox(Pattern<Bytes>::parse("flow.*").value(), with(1, Overflow::latest)).value();
  auto roomy = s.in().inbox(Pattern<Bytes>::parse("flow.*").value(), with(2, Overflow::latest)).value();
  auto publisher = s.out().publisher(flow).value();
  auto second = s.out().publisher(other).value();
  meet_empty(s, inbox, publisher, 2);
  meet_empty(s, roomy, second, 2);
  // One after the other: between Publishers no order is promised.
  for (int i = 0; i < 5; ++i) CHECK(publisher.publish(bytes("a" + std::to_string(i))));
  CHECK(s.wait_until([&] { return has(inbox, 5) && has(roomy, 5); }));
  for (int i = 0; i < 5; ++i) CHECK(second.publish(bytes("b" + std::to_string(i))));
  CHECK(s.wait_until([&] { return has(inbox, 10) && has(roomy, 10); }));
  CHECK(inbox.stats().dropped[DropReason::conflated] == 4);
  CHECK(inbox.stats().dropped[DropReason::queue_full_newest] == 5);
  CHECK(roomy.stats().dropped[DropReason::conflated] == 8);
  CHECK(waiting_in(inbox) == Texts{"a4"});
  auto kept = waiting_in(roomy);
  std::sort(kept.begin(), kept.end());
  CHECK(kept == Texts{"a4", "b4"});
  check_at_rest(inbox.stats());
  check_at_rest(roomy.stats());
}

EVERYWHERE("P4 latest gives each topic its turn, however often the others are replaced") {
  auto inbox = s.in().inbox(Pattern<Bytes>::parse("flow.*").value(), with(8, Overflow::latest)).value();
  auto publisher = s.out().publisher(flow).value();
  auto second = s.out().publisher(other).value();
  meet_empty(s, inbox, publisher, 1);
  CHECK(second.wait_matched(1, 30s));
  std::map<std::string, int> taken;
  for (std::uint64_t round = 1; round <= 20; ++round) {
    CHECK(publisher.publish(bytes("a")));
    CHECK(s.wait_until([&] { return has(inbox, 2 * round - 1); }));
    CHECK(second.publish(bytes("b")));
    CHECK(s.wait_until([&] { return has(inbox, 2 * round); }));
    // News of the link may come first; while it waits, what replaces goes to the end behind it.
    auto item = inbox.take(30s);
    while (item && !std::holds_alternative<Message<Bytes>>(*item)) item = inbox.take(30s);
    REQUIRE(item);
    ++taken[text(std::get<Message<Bytes>>(*item))];
  }
  CHECK(taken["a"] >= 9);
  CHECK(taken["b"] >= 9);
}

EVERYWHERE("P4 refuse: publish answers full, nobody has taken the message, and trying again makes no duplicates") {
  auto tight = s.in().inbox(flow, with(4, Overflow::refuse)).value();
  // Of the same size: the roomiest subscription decides how much may wait on the other side of a link.
  auto plain = s.in().inbox(flow, with(4, Overflow::drop_newest)).value();
  auto publisher = s.out().publisher(flow, {.far_wait = true}).value();
  meet_empty(s, tight, publisher, 2);
  meet_empty(s, plain, publisher, 2);
  Texts got, got_plain, wanted;
  int fulls = 0;
  for (int i = 0; i < 200; ++i) {
    wanted.push_back(std::to_string(i));
    for (int again = 0;; ++again) {
      REQUIRE(again < 10'000);
      auto published = publisher.publish(bytes(wanted.back()));
      if (published) {
        CHECK(published->dropped == 0);
        break;
      }
      REQUIRE(code(published) == is(ErrorCode::full));
      ++fulls;
      // Until then nothing was taken out: room for those in the queue, and for as many on this side of a link.
      if (got.empty()) CHECK(i >= 4);
      if (got.empty()) CHECK(i <= (s.is_far() ? 8 : 4));
      s.pass(1ms);
      for (std::string& one : waiting_in(tight)) got.push_back(std::move(one));
      for (std::string& one : waiting_in(plain)) got_plain.push_back(std::move(one));
    }
  }
  CHECK(s.wait_until([&] {
    for (std::string& one : waiting_in(tight)) got.push_back(std::move(one));
    for (std::string& one : waiting_in(plain)) got_plain.push_back(std::move(one));
    return got.size() >= 200 && (s.is_far() || got_plain.size() >= 200);
  }));
  s.pass(20ms);
  CHECK(waiting_in(tight).empty());
  for (std::string& one : waiting_in(plain)) got_plain.push_back(std::move(one));
  CHECK(got == wanted);
  // Over a link the plain one may be found full by what comes as soon as the tight one has room: it drops, and counts.
  CHECK(got_plain.size() + plain.stats().dropped[DropReason::queue_full_newest] == 200);
  CHECK(std::adjacent_find(got_plain.begin(), got_plain.end()) == got_plain.end());
  if (!s.is_far()) CHECK(got_plain == wanted);
  CHECK(fulls > 0);
  CHECK(tight.stats().dropped.total() == 0);
  check_at_rest(tight.stats());
  std::uint64_t refused = 0;
  for (const SinkStats& sink : s.out().stats().sinks) refused += sink.refused;
  CHECK(refused == static_cast<std::uint64_t>(fulls));
}

EVERYWHERE("P4 block: a slow reader makes the publisher slow, and nothing is lost") {
  auto inbox = s.in().inbox(flow, with(4, Overflow::block, 20s)).value();
  auto publisher = s.out().publisher(flow, {.far_wait = true}).value();
  meet_empty(s, inbox, publisher);
  Seen got;
  auto reader = s.in().every(1ms, [&] {
    auto item = inbox.try_take();
    if (!item) return;
    if (const auto* message = std::get_if<Message<Bytes>>(&*item)) got.add(*message);
  });
  Texts wanted;
  std::size_t behind_max = 0;
  for (int i = 0; i < 300; ++i) {
    wanted.push_back(std::to_string(i));
    auto published = publisher.publish(bytes(wanted.back()));
    REQUIRE(published);
    REQUIRE(published->queued == 1);
    behind_max = std::max(behind_max, wanted.size() - got.count());
  }
  CHECK(behind_max <= 4 + (s.is_far() ? 5 : 1));
  CHECK(s.wait_until([&] { return got.count() == 300; }));
  CHECK(got.all() == wanted);
  CHECK(dropped_at(s.out(), "link") == 0);
  CHECK(inbox.stats().dropped.total() == 0);
}

EVERYWHERE("P4 block gives up after its time, and what it lost is counted once") {
  auto inbox = s.in().inbox(flow, with(2, Overflow::block, 20ms)).value();
  auto publisher = s.out().publisher(flow, {.far_wait = true}).value();
  meet_empty(s, inbox, publisher);
  std::uint64_t lost = 0;
  for (int i = 0; i < 8; ++i) {
    auto published = publisher.publish(bytes(std::to_string(i)));
    REQUIRE(published);
    CHECK_FALSE(published->would_deadlock);
    lost += published->dropped;
  }
  CHECK(lost >= (s.is_far() ? 4 : 6));
  CHECK(lost <= 6);
  const std::uint64_t counted = s.is_far() ? dropped_at(s.out(), "link") : inbox.stats().dropped.total();
  CHECK(counted == lost);
  std::size_t taken = 0;
  CHECK(s.wait_until([&] { return (taken += waiting_in(inbox).size()) == 8 - lost; }));
}

FAR("without far_wait a far refuse or block acts as drop_newest, and every message is accounted for") {
  auto refusing = s.in().inbox(flow, with(4, Overflow::refuse)).value();
  auto blocking = s.in().inbox(other, with(4, Overflow::block, 1h)).value();
  auto publisher = s.out().publisher(flow).value();
  auto second = s.out().publisher(other).value();
  meet_empty(s, refusing, publisher);
  meet_empty(s, blocking, second);
  std::uint64_t lost = 0, lost_second = 0;
  for (int i = 0; i < 50; ++i) {
    lost += publisher.publish(bytes("x"))->dropped;
    lost_second += second.publish(bytes("x"))->dropped;
  }
  // Beyond the windows of the two, as many as they hold wait on this side.
  const auto waits_here = [&](std::string_view topic) {
    std::uint64_t sum = 0;
    for (const SinkStats& sink : s.out().stats().sinks) sum += sink.kind == "link" && sink.name == topic ? sink.waiting : 0;
    return sum;
  };
  CHECK(s.wait_until([&] {
    return refusing.stats().offered + waits_here("flow.a") + lost == 50 &&
           blocking.stats().offered + waits_here("flow.b") + lost_second == 50;
  }));
  CHECK(waits_here("flow.a") <= 4);
  CHECK(waits_here("flow.b") <= 4);
  CHECK(refusing.stats().waiting == 4);
  CHECK(blocking.stats().waiting == 4);
  CHECK(lost + waits_here("flow.a") + refusing.stats().dropped[DropReason::queue_full_newest] == 46);
  CHECK(lost_second + waits_here("flow.b") + blocking.stats().dropped[DropReason::queue_full_newest] == 46);
}

EVERYWHERE("P4 a slow subscription denies nobody else") {
  std::atomic<int> got{0};
  auto slow = s.in().inbox(flow, with(1, Overflow::drop_newest)).value();
  auto sub = s.in().subscribe(flow, [&](const Message<Bytes>&) { ++got; }).value();
  auto publisher = s.out().publisher(flow).value();
  meet_empty(s, slow, publisher, 2);
  s.meet(sub, publisher, 2);
  for (int i = 0; i < 500; ++i) CHECK(publisher.publish(bytes("x")));
  CHECK(s.wait_until([&] { return got == 500 && has(slow, 500); }));
  CHECK(slow.stats().dropped[DropReason::queue_full_newest] == 499);
}

FAR("P8 what a sender dropped last is told as a gap in front of the end of its bus") {
  std::uint64_t seen = 0, missing = 0;
  bool ended = false, was_last = true;
  auto late = s.sleeper();
  auto sub = s.in().subscribe(flow, [&](const Message<Bytes>&) { ++seen; },
                              {.queue = Queue{.messages = 4, .overflow = Overflow::block},
                               .executor = late,
                               .on_event = [&](const SubscriptionEvent& event) {
                                 if (event.kind == EventKind::peer_lost) ended = true;
                                 if (event.kind != EventKind::gap) return;
                                 was_last = was_last && !ended;
                                 missing += event.last - event.first + 1;
                               }}).value();
  auto publisher = s.out().publisher(flow).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 100; ++i) CHECK(publisher.publish(bytes("x")));
  CHECK(s.wait_until([&] { return sub.stats().waiting == 4; }));
  CHECK(s.out().close(5s).complete);
  CHECK(s.wait_until([&] { return Setting::run(*late), ended; }));
  CHECK(seen == 4);
  CHECK(missing == 96);
  CHECK(was_last);
}
