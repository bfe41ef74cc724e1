/// P9: confirmed, matched and the known server, in all three forms; from then on nothing is missed.
#include "setting.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> news{"news"};

}  // namespace

EVERYWHERE("P9 confirmed and matched as a wait, a callback and an awaitable: what is published then arrives") {
  Seen seen, said;
  auto publisher = s.out().publisher(news).value();
  auto sub = s.in().subscribe(news, [&](const Message<Bytes>& m) { seen.add(m); }).value();
  SUBCASE("waiting") { s.meet(sub, publisher); }
  SUBCASE("callbacks") {
    sub.confirmed([&](Result<void> r) { said.add(std::to_string(code(r))); });
    publisher.matched(1, [&](Result<void> r) { said.add(std::to_string(code(r))); });
    REQUIRE(s.wait_until([&] { return said.count() == 2; }));
    CHECK(said.all() == std::vector<std::string>{"0", "0"});
  }
  SUBCASE("awaiting") {
    auto body = [&]() -> Task<int> {
      said.add(std::to_string(code(co_await sub.confirmed())));
      said.add(std::to_string(code(co_await publisher.matched(1))));
      co_return 0;
    };
    auto task = body();
    task.start();
    REQUIRE(s.wait_until([&] { return said.count() == 2; }));
    CHECK(said.all() == std::vector<std::string>{"0", "0"});
    REQUIRE(s.wait_until([&] { return task.done(); }));
  }
  for (const char* n : {"1", "2", "3"}) CHECK(publisher.publish(bytes(n))->queued == 1);
  CHECK(s.wait_until([&] { return seen.count() == 3; }));
  CHECK(seen.all() == std::vector<std::string>{"1", "2", "3"});
}

EVERYWHERE("P9 a known server as a wait, a callback and an awaitable: the request after it is answered") {
  Seen said;
  auto client = s.in().client(echo).value();
  client.server([&](Result<void> r) { said.add(std::to_string(code(r))); });
  auto body = [&]() -> Task<int> {
    said.add(std::to_string(code(co_await client.server())));
    co_return 0;
  };
  auto task = body();
  task.start();
  s.pass(5ms);
  CHECK(said.count() == 0);
  auto server = s.out().serve(echo, [](const Request<Bytes>& q) { return q; }).value();
  CHECK(client.wait_server(30s));
  CHECK(s.wait_until([&] { return said.count() == 2 && task.done(); }));
  CHECK(said.all() == std::vector<std::string>{"0", "0"});
  CHECK(client.request(bytes("q")).get());
}

EVERYWHERE("P9 waits that nothing fulfils end timed_out, or closed with their bus") {
  auto publisher = s.out().publisher(news).value();
  auto client = s.in().client(echo).value();
  CHECK(code(publisher.wait_matched(1, 20ms)) == is(ErrorCode::timed_out));
  CHECK(code(client.wait_server(20ms)) == is(ErrorCode::timed_out));
  Seen said;
  client.server([&](Result<void> r) { said.add("server " + std::to_string(code(r))); });
  CHECK(s.in().close(5s).complete);
  CHECK(s.out().close(5s).complete);
  s.pass(s.is_driven() ? 20ms : 0ms);
  CHECK(said.all() == std::vector<std::string>{"server " + std::to_string(is(ErrorCode::closed))});
}

FAR("P9 a subscription hears in order that it is confirmed, and the bus's events say who came") {
  auto inbox = s.in().inbox(news).value();
  auto publisher = s.out().publisher(news).value();
  s.meet(inbox, publisher);
  CHECK(publisher.publish(bytes("1")));
  std::vector<std::string> items;
  while (items.empty() || items.back() != "1") {
    auto item = inbox.take(30s);
    REQUIRE(item);
    if (const auto* event = std::get_if<SubscriptionEvent>(&*item)) items.push_back(std::string{name_of(event->kind)} + ' ' + event->peer);
    else items.push_back(text(std::get<Message<Bytes>>(*item)));
  }
  CHECK(items == std::vector<std::string>{"confirmed out", "1"});
  CHECK(s.in_events().count("peer_up out") == 1);
  CHECK(s.out_events().count("peer_up in") == 1);
  CHECK(s.in_events().count("confirmed news out") == 1);
}

EVERYWHERE("P9 a wait for matched that nothing fulfils ends closed with its bus, as a callback too") {
  auto publisher = s.out().publisher(news).value();
  std::atomic<int> said{-1};
  publisher.matched(1, [&](Result<void> r) { said = code(r); });
  CHECK(s.out().close(5s).complete);
  s.pass(20ms);
  CHECK(said == is(ErrorCode::closed));
}
