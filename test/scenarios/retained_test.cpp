/// Retained values: whoever joins gets the last one first, then everything later.
#include "setting.hpp"

#include <thread>

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> state{"state.a"};
inline constexpr Topic<Bytes> tail{"state.b"};
using Texts = std::vector<std::string>;

/// `text` or `text*` when it was retained.
auto keep(Seen& seen) {
  return [&seen](const Message<Bytes>& m) { seen.add(m.retained() ? text(m) + '*' : text(m)); };
}

/// Takes messages until there are three of them; empty: they did not come.
std::vector<std::pair<std::uint64_t, bool>> first_three(Inbox<Bytes>& inbox) {
  std::vector<std::pair<std::uint64_t, bool>> got;
  while (got.size() < 3) {
    auto item = inbox.take(10s);
    if (!item) break;
    if (const auto* message = std::get_if<Message<Bytes>>(&*item)) got.emplace_back(std::stoull(text(*message)), message->retained());
  }
  return got;
}
/// The value first and marked, then every later one.
bool is_unbroken(const std::vector<std::pair<std::uint64_t, bool>>& got) {
  return got.size() == 3 && got[0].second && !got[1].second && !got[2].second && got[1].first == got[0].first + 1 &&
         got[2].first == got[0].first + 2;
}

}  // namespace

EVERYWHERE("a joiner gets the retained value first, marked, then every later message, whenever it joins") {
  auto publisher = s.out().publisher(state, {.retain = true}).value();
  for (const char* n : {"1", "2", "3"}) CHECK(publisher.publish(bytes(n)));
  Seen first, second, wild;
  auto a = s.in().subscribe(state, keep(first)).value();
  s.meet(a, publisher);
  CHECK(s.wait_until([&] { return first.count() == 1; }));
  CHECK(publisher.publish(bytes("4")));
  CHECK(s.wait_until([&] { return first.count() == 2; }));
  auto b = s.in().subscribe(state, keep(second)).value();
  auto c = s.in().subscribe(Pattern<Bytes>::parse("state.>").value(), keep(wild)).value();
  s.meet(b, publisher, 3);
  s.meet(c, publisher, 3);
  CHECK(publisher.publish(bytes("5")));
  CHECK(publisher.publish(bytes("6")));
  CHECK(s.wait_until([&] { return first.count() == 4 && second.count() == 3 && wild.count() == 3; }));
  s.pass(20ms);
  CHECK(first.all() == Texts{"3*", "4", "5", "6"});
  CHECK(second.all() == Texts{"4*", "5", "6"});
  CHECK(wild.all() == Texts{"4*", "5", "6"});
}

EVERYWHERE("a wildcard gets the retained value of each topic, and a value goes with its last Publisher") {
  auto one = s.out().publisher(state, {.retain = true}).value();
  auto two = std::optional{s.out().publisher(tail, {.retain = true}).value()};
  CHECK(one.publish(bytes("one")));
  CHECK(two->publish(bytes("two")));
  Seen both, rest;
  auto sub = s.in().subscribe(Pattern<Bytes>::parse("state.*").value(), keep(both)).value();
  s.meet(sub, one);
  CHECK(s.wait_until([&] { return both.count() == 2; }));
  auto got = both.all();
  std::sort(got.begin(), got.end());
  CHECK(got == Texts{"one*", "two*"});
  two.reset();
  auto later = s.in().subscribe(Pattern<Bytes>::parse("state.*").value(), keep(rest)).value();
  s.meet(later, one, 2);
  CHECK(one.publish(bytes("more")));
  CHECK(s.wait_until([&] { return rest.count() == 2; }));
  CHECK(rest.all() == Texts{"one*", "more"});
}

EVERYWHERE("an AnyPublisher retains where its topic's schema or its options say so, and takes the values along") {
  const Topic<Bytes> kept{"state.kept", {.retain = true}}, passing{"state.passing"};
  auto any = std::optional{s.out().publisher().value()}, all = std::optional{s.out().publisher({.retain = true}).value()};
  auto known = s.out().publisher(state).value();
  CHECK(any->publish(kept, bytes("old")));
  CHECK(any->publish(kept, bytes("kept")));
  CHECK(any->publish(passing, bytes("passing")));
  CHECK(all->publish(tail, bytes("told")));
  CHECK(known.publish(bytes("before")));
  Seen both, rest;
  auto sub = s.in().subscribe(Pattern<Bytes>::parse("state.*").value(), keep(both)).value();
  s.meet(sub, known);
  CHECK(known.publish(bytes("last")));
  CHECK(s.wait_until([&] { return both.count() == 3; }));
  auto got = both.all();
  std::sort(got.begin(), got.end());
  CHECK(got == Texts{"kept*", "last", "told*"});
  any.reset();
  all.reset();
  auto later = s.in().subscribe(Pattern<Bytes>::parse("state.*").value(), keep(rest)).value();
  s.meet(later, known, 2);
  CHECK(known.publish(bytes("more")));
  CHECK(s.wait_until([&] { return rest.count() == 1; }));
  CHECK(rest.all() == Texts{"more"});
}

FAR("a joiner that comes while the publisher waits for room gets the value before, then the one that waited, once") {
  auto slow = s.in().inbox(state, {.queue = Queue{.messages = 2, .overflow = Overflow::block, .block_for = 20s}}).value();
  auto publisher = s.out().publisher(state, {.retain = true, .far_wait = true}).value();
  s.meet(slow, publisher);
  std::optional<Inbox<Bytes>> joiner;
  std::atomic<int> begun{0}, waited_with{0};
  std::atomic<bool> is_known{false};
  publisher.matched(2, [&](Result<void> r) { is_known = r.has_value(); });
  Timer beat = s.in().every(1ms, [&, still = 0, before = 0]() mutable {
    still = before == begun ? still + 1 : 0;
    before = begun;
    // Nothing has moved for so long: the publisher waits for room.
    if (waited_with == 0 && begun != 0 && still == 50) {
      joiner.emplace(s.in().inbox(state, {.queue = Queue{.messages = 100}}).value());
      waited_with = begun.load();
    }
    if (is_known) static_cast<void>(slow.try_take());
  });
  for (int i = 1; i <= 10; ++i) {
    begun = i;
    CHECK(publisher.publish(bytes(std::to_string(i)))->dropped == 0);
  }
  REQUIRE(waited_with > 1);
  Texts got, wanted{std::to_string(waited_with - 1) + '*'};
  for (int i = waited_with; i <= 10; ++i) wanted.push_back(std::to_string(i));
  CHECK(s.wait_until([&] {
    while (auto item = joiner->try_take()) {
      if (const auto* m = std::get_if<Message<Bytes>>(&*item)) got.push_back(text(*m) + (m->retained() ? "*" : ""));
    }
    return got.size() >= wanted.size();
  }));
  CHECK(got == wanted);
}

EVERYWHERE("joins under full traffic: the value first, then every later message, none twice, none missing") {
  auto publisher = s.out().publisher(state, {.retain = true, .far_wait = true}).value();
  std::uint64_t number = 0;
  const auto put = [&] { return publisher.publish(bytes(std::to_string(++number))); };
  CHECK(put());
  std::atomic<bool> ending{false};
  std::optional<std::jthread> traffic;
  Timer beat;
  if (s.is_driven()) {
    beat = s.out().every(100us, [&] { CHECK(put()); });
  } else {
    traffic.emplace([&] {
      while (!ending) static_cast<void>(put());
    });
  }
  // Every other one has the publisher wait for it; in virtual time that publishes in a handler, which may not wait.
  const auto queue_of = [&](int join) {
    if (s.is_driven()) return Queue{.messages = s.is_far() ? 100'000u : 64u};
    const bool is_patient = s.is_far() || join % 2 != 0;
    return Queue{.messages = join % 2 != 0 ? 4u : 64u,
                 .overflow = is_patient ? Overflow::block : Overflow::drop_newest,
                 .block_for = 20s};
  };
  constexpr int joins = 10'000;
  int wrong = 0;
  for (int join = 0; join < joins && wrong < 5; ++join) {
    auto inbox = s.in().inbox(state, {.queue = queue_of(join)}).value();
    const auto got = first_three(inbox);
    if (is_unbroken(got)) continue;
    ++wrong;
    for (const auto& [value, retained] : got) MESSAGE("join " << join << ": " << value << std::string{retained ? " retained" : ""});
  }
  ending = true;
  if (traffic) traffic->join();
  CHECK(wrong == 0);
  CHECK(s.in_events().count("peer_lost") == 0);
}
