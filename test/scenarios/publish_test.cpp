/// Publishing and subscribing: kinds of subscription, order, sizes, time to live, calls from inside a handler.
#include "setting.hpp"

#include <algorithm>
#include <thread>

#include "fleet_midplane.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<fleet::Reading> readings{"fleet.readings"};
inline constexpr Topic<Bytes> news{"news"};
inline constexpr Topic<Bytes> one{"many.one"};
inline constexpr Topic<Bytes> two{"many.two"};
inline constexpr Topic<Bytes> three{"many.three"};
constexpr Queue ample{.messages = 100'000, .bytes = std::size_t{64} << 20};

Pattern<Bytes> pattern(std::string_view text) { return Pattern<Bytes>::parse(text).value(); }

/// Bytes that tell where they belong, so that a shifted or repeated part shows.
std::string patterned(std::size_t size) {
  std::string made(size, '\0');
  std::uint64_t x = size;
  for (std::size_t i = 0; i < size; i += 8) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(made.data() + i, &x, std::min<std::size_t>(8, size - i));
  }
  return made;
}

}  // namespace

EVERYWHERE("a typed subscription, a typed pattern and one of bytes each get every message, in order") {
  Seen typed, wild, raw;
  const auto keep = [&](Seen& seen) {
    return [&seen, sender = s.sender()](const Message<fleet::Reading>& m) {
      CHECK(m.peer() == sender);
      CHECK(m.topic() == "fleet.readings");
      seen.add(m->host()->str() + std::to_string(static_cast<int>(m->load())));
    };
  };
  auto a = s.in().subscribe(readings, keep(typed)).value();
  auto b = s.in().subscribe(Pattern<fleet::Reading>::parse("fleet.*").value(), keep(wild)).value();
  auto c = s.in().subscribe(pattern(">"), [&](const Message<Bytes>& m) {
    CHECK(Codec<fleet::Reading>::verify(m.bytes()));
    raw.add(Codec<fleet::Reading>::view(m.bytes())->host()->str());
  }).value();
  auto publisher = s.out().publisher(readings).value();
  for (auto* sub : {&a, &b, &c}) s.meet(*sub, publisher, 3);
  for (int i = 0; i < 3; ++i) {
    fleet::ReadingT reading;
    reading.host = "h";
    reading.load = i;
    auto published = publisher.publish(reading);
    REQUIRE(published);
    CHECK(published->dropped == 0);
    CHECK(published->queued == published->sinks);
  }
  CHECK(s.wait_until([&] { return typed.count() == 3 && wild.count() == 3 && raw.count() == 3; }));
  CHECK(typed.all() == std::vector<std::string>{"h0", "h1", "h2"});
  CHECK(wild.all() == typed.all());
  CHECK(a.stats().delivered == 3);
}

EVERYWHERE("an AnyPublisher keeps its order across topics, and each Publisher its own") {
  Seen wild, mine;
  auto all = s.in().subscribe(pattern("many.*"), [&](const Message<Bytes>& m) { wild.add(m); }, {.queue = ample}).value();
  auto both = s.in().subscribe(news, [&](const Message<Bytes>& m) { mine.add(m); }, {.queue = ample}).value();
  auto any = s.out().publisher().value();
  auto first = s.out().publisher(news).value();
  auto second = s.out().publisher(news).value();
  s.meet(all, first, 1);
  s.meet(both, second, 1);
  std::vector<std::string> wanted;
  const auto put_any = [&] {
    const Topic<Bytes>* const topics[]{&one, &two, &three};
    for (int i = 0; i < 3000; ++i) {
      CHECK(any.publish(*topics[i * 7 % 3], bytes(std::to_string(i))));
      wanted.push_back(std::to_string(i));
    }
  };
  const auto put = [&](Publisher<Bytes>& publisher, char name) {
    for (int i = 0; i < 1000; ++i) CHECK(publisher.publish(bytes(name + std::to_string(10'000 + i))));
  };
  if (s.is_driven()) {
    put_any();
    for (int i = 0; i < 1000; ++i) {
      CHECK(first.publish(bytes("a" + std::to_string(10'000 + i))));
      CHECK(second.publish(bytes("b" + std::to_string(10'000 + i))));
    }
  } else {
    std::jthread t1{put_any}, t2{[&] { put(first, 'a'); }}, t3{[&] { put(second, 'b'); }};
  }
  CHECK(s.wait_until([&] { return wild.count() == 3000 && mine.count() == 2000; }));
  CHECK(wild.all() == wanted);
  for (const char name : {'a', 'b'}) {
    auto texts = mine.all();
    std::erase_if(texts, [name](const std::string& text) { return text[0] != name; });
    CHECK(texts.size() == 1000);
    CHECK(std::is_sorted(texts.begin(), texts.end()));
  }
}

EVERYWHERE("messages of 1 B to 15 MiB arrive whole") {
  std::atomic<int> whole{0}, broken{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>& m) {
    ++(text(m) == patterned(m.bytes().size()) ? whole : broken);
  }, {.queue = Queue{.messages = 64, .bytes = std::size_t{64} << 20}}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  int sent = 0;
  for (const std::size_t size : {std::size_t{1}, std::size_t{4} << 10, (std::size_t{64} << 10) + 1, std::size_t{1} << 20, std::size_t{15} << 20}) {
    CAPTURE(size);
    auto published = publisher.publish(bytes(patterned(size)));
    REQUIRE(published);
    CHECK(published->queued == 1);
    ++sent;
    CHECK(s.wait_until([&] { return whole == sent; }));
  }
  CHECK(broken == 0);
  auto refused = publisher.publish(bytes(std::string((std::size_t{16} << 20) + 1, 'x')));
  CHECK(code(refused) == is(ErrorCode::too_large));
}

EVERYWHERE("headers, the time of the publish and numbers arrive with a message") {
  Headers headers;
  headers.trace = TraceContext{};
  headers.trace->trace_id[3] = std::byte{9};
  headers.priority = Priority::high;
  headers.tenant = "t";
  headers.routing_key = "r";
  headers.entries = {{"a", "1"}, {"b", ""}};
  auto inbox = s.in().inbox(news).value();
  auto publisher = s.out().publisher(news, {.stamp = true}).value();
  s.meet(inbox, publisher);
  CHECK(publisher.publish(bytes("1"), {.headers = &headers}));
  CHECK(publisher.publish(bytes("2")));
  std::vector<Message<Bytes>> got;
  while (got.size() < 2) {
    auto item = inbox.take(30s);
    REQUIRE(item);
    if (auto* message = std::get_if<Message<Bytes>>(&*item)) got.push_back(*message);
  }
  REQUIRE(got[0].headers());
  CHECK(*got[0].headers() == headers);
  CHECK(got[1].headers() == nullptr);
  CHECK(got[0].sent_at() > 0);
  CHECK(got[1].sent_at() >= got[0].sent_at());
  CHECK(got[1].sequence() == got[0].sequence() + 1);
}

EVERYWHERE("what is older than its time to live is dropped as expired before the handler") {
  Seen seen;
  auto late = s.sleeper();
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>& m) { seen.add(m); }, {.executor = late}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  Setting::run(*late);
  CHECK(publisher.publish(bytes("short"), {.ttl = 50ms}));
  CHECK(publisher.publish(bytes("long"), {.ttl = 1h}));
  CHECK(publisher.publish(bytes("any")));
  CHECK(s.wait_until([&] { return sub.stats().offered == 3; }));
  s.pass(100ms);
  Setting::run(*late);
  CHECK(seen.all() == std::vector<std::string>{"long", "any"});
  CHECK(sub.stats().dropped[DropReason::expired] == 1);
  CHECK(sub.stats().delivered == 2);
}

EVERYWHERE("a handler may end its own subscription and publish, and nothing nests") {
  Seen seen;
  std::optional<Subscription> sub;
  std::atomic<bool> ended{false};
  std::atomic<int> depth{0};
  auto onward = s.in().publisher(one).value();
  auto behind = s.in().subscribe(one, [&](const Message<Bytes>& m) {
    CHECK(depth == 0);
    seen.add(m);
  }).value();
  std::promise<void> assigned;
  auto may_end = assigned.get_future().share();
  sub = s.in().subscribe(news, [&, may_end](const Message<Bytes>& m) {
    may_end.wait();
    // `behind` runs on another thread of a pool meanwhile, which is no nesting.
    if (s.is_driven()) ++depth;
    CHECK(onward.publish(m));
    if (text(m) == "2") sub.reset(), ended = true;
    if (s.is_driven()) --depth;
  }).value();
  assigned.set_value();
  auto publisher = s.out().publisher(news).value();
  s.meet(*sub, publisher);
  for (const char* n : {"1", "2", "3"}) CHECK(publisher.publish(bytes(n)));
  CHECK(s.wait_until([&] { return ended && seen.count() == 2; }));
  CHECK(s.wait_until([&] { return publisher.publish(bytes("4"))->sinks == 0; }));
  CHECK(seen.all() == std::vector<std::string>{"1", "2"});
}

EVERYWHERE("P16 drain handles and flushes what was published, then close ends it, and every message is accounted for") {
  Seen seen;
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>& m) { seen.add(m); }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 5000; ++i) REQUIRE(publisher.publish(bytes(std::to_string(i)))->queued == 1);
  const Report drained = s.out().drain(30s);
  CHECK(drained.complete);
  CHECK(drained.waiting == 0);
  CHECK(drained.dropped.total() == 0);
  CHECK(code(publisher.publish(bytes("x"))) == is(ErrorCode::closed));
  CHECK(s.out().close(5s).complete);
  CHECK(s.wait_until([&] { return seen.count() == 5000; }));
  CHECK(sub.stats().offered == 5000);
  CHECK(sub.stats().waiting == 0);
  CHECK(sub.stats().delivered == 5000);
  CHECK(sub.stats().dropped.total() == 0);
  CHECK(s.in().close(5s).complete);
  CHECK(code(sub.wait_confirmed(1s)) == is(ErrorCode::closed));
}

FAR("a bus that closes in the middle of its own traffic takes leave all the same") {
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = s.out_log().of("link.peer_lost").size();
    Bus& guest = s.open("guest" + std::to_string(round), {&s.out()});
    auto first = guest.subscribe(one, [](const Message<Bytes>&) {}).value();
    auto second = guest.subscribe(two, [](const Message<Bytes>&) {}).value();
    auto publisher = guest.publisher(three).value();
    REQUIRE(first.wait_confirmed(30s));
    for (int i = 0; i < 3; ++i) CHECK(publisher.publish(bytes("x")));
    auto third = guest.subscribe(news, [](const Message<Bytes>&) {}).value();
    CHECK(guest.close(5s).complete);
    REQUIRE(s.wait_until([&] { return s.out_log().of("link.peer_lost").size() > before; }));
    CHECK(s.out_log().of("link.peer_lost").back().starts_with("info "));
  }
}

EVERYWHERE("close under traffic returns in time, and afterwards no handler runs") {
  std::atomic<int> seen{0};
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>&) { ++seen; }, {.queue = ample}).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(sub, publisher);
  for (int i = 0; i < 2000; ++i) CHECK(publisher.publish(bytes("x")));
  CHECK(s.in().close(5s).complete);
  const int at_close = seen;
  for (int i = 0; i < 100; ++i) static_cast<void>(publisher.publish(bytes("x")));
  s.pass(50ms);
  CHECK(seen == at_close);
  const SinkStats stats = sub.stats();
  CHECK(stats.offered == stats.delivered + stats.dropped.total() + stats.waiting);
  CHECK(s.out().close(5s).complete);
}
