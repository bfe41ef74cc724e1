/// Messages that fill a frame each leave from the block they were built in. Whoever else has one of them must never see
/// it change, and a block that is used again must not reach into one that is still read.
#include <algorithm>
#include <deque>

#include <midplane/zmq.hpp>

#include "../promises_requests/support.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> blocks{"large.blocks"};
constexpr Duration patience = 30s;

/// Of one letter, and as long as it says in front.
std::string block_of(int number) {
  const std::size_t bytes = 100'000 + static_cast<std::size_t>(number * 7919 % 400'000);
  std::string block = std::to_string(number) + ' ' + std::to_string(bytes) + ' ';
  block.resize(bytes, static_cast<char>('a' + number % 26));
  return block;
}
bool is_whole(const AnyMessage& message) {
  const std::string here = text(message);
  return here == block_of(std::stoi(here));
}

/// Keeps the last few, and looks at them again when they have waited.
struct Reader {
  Reader(Bus& bus) : subscription{bus.subscribe(blocks, [this](const Message<Bytes>& message) { read(message); },
                                                {.queue = {.messages = 16, .bytes = std::size_t{32} << 20, .overflow = Overflow::block, .block_for = patience}})
                                      .value()} {}
  void read(const AnyMessage& message) {
    whole = whole && is_whole(message) && std::stoi(text(message)) == seen;
    kept.push_back(message);
    if (kept.size() > 5) {
      whole = whole && is_whole(kept.front());
      kept.pop_front();
    }
    ++seen;
  }
  bool whole = true;
  std::deque<AnyMessage> kept;
  std::atomic<int> seen{0};
  Subscription subscription;
};

struct Peer {
  explicit Peer(const std::string& endpoint) { bus.attach(zmq::transport({.listen = {}, .peers = {endpoint}})).value(); }
  Bus bus = Bus::open({.name = "peer"}).value();
  Reader reader{bus};
};

}  // namespace

TEST_CASE("large messages are whole at a near subscription and at two peers, in order, also when they are kept") {
  Bus home = Bus::open({.name = "home"}).value();
  home.attach(zmq::transport({.listen = {"tcp://127.0.0.1:0"}, .peers = {}})).value();
  const std::string endpoint = home.listening().at(0);
  Publisher<Bytes> publisher = home.publisher(blocks, {.far_wait = true}).value();
  constexpr int rounds = 3, count = 60;
  // Alone with one peer, whom every block is lent to; with two, the second of whom has a copy; with a near one too.
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Peer first{endpoint};
    std::optional<Peer> second;
    std::optional<Reader> near;
    if (round > 0) second.emplace(endpoint);
    if (round > 1) near.emplace(home);
    REQUIRE(publisher.wait_matched(static_cast<unsigned>(round) + 1, patience));
    for (int i = 0; i < count; ++i) {
      const auto published = publisher.publish(bytes(block_of(i)));
      REQUIRE(published);
      REQUIRE(published->dropped == 0);
    }
    for (Reader* reader : {&first.reader, second ? &second->reader : nullptr, near ? &*near : nullptr}) {
      if (!reader) continue;
      const auto end = std::chrono::steady_clock::now() + patience;
      while (reader->seen != count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      reader->subscription = {};
      CHECK(reader->seen == count);
      CHECK(reader->whole);
      CHECK(std::all_of(reader->kept.begin(), reader->kept.end(), is_whole));
    }
  }
}

TEST_CASE("large requests and replies are whole, many at once") {
  Bus home = Bus::open({.name = "home"}).value();
  home.attach(zmq::transport({.listen = {"tcp://127.0.0.1:0"}, .peers = {}})).value();
  auto server = home.serve(echo, [](Request<Bytes> request, Responder<Bytes> responder) {
    std::string answer = text(request);
    std::reverse(answer.begin(), answer.end());
    static_cast<void>(responder.reply(bytes(answer)));
  }).value();
  Bus bus = Bus::open({.name = "asker"}).value();
  bus.attach(zmq::transport({.listen = {}, .peers = {home.listening().at(0)}})).value();
  auto client = bus.client(echo).value();
  REQUIRE(client.wait_server(patience));
  for (int round = 0; round < 4; ++round) {
    std::vector<Pending<Bytes>> pending;
    for (int i = 0; i < 8; ++i) pending.push_back(client.request(bytes(block_of(round * 8 + i)), {.timeout = patience}));
    for (int i = 0; i < 8; ++i) {
      const auto reply = pending[static_cast<std::size_t>(i)].get();
      REQUIRE(reply);
      std::string answer = text(*reply);
      std::reverse(answer.begin(), answer.end());
      CHECK(answer == block_of(round * 8 + i));
    }
  }
}
