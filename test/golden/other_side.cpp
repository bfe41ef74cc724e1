/// A bus for peer_test.py, with nothing but the public API: publishes, subscribes, serves and asks as it is told.
///
/// told: flow COUNT | burst COUNT | received COUNT LOST | ask COUNT | quit
/// tells: ready ADDRESS | published COUNT DROPPED | received PLAIN GROUPED WRONG GAPS LOST |
///        answered RIGHT WRONG ERROR | closed SERVED
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

using namespace midplane;
using namespace std::chrono_literals;

namespace {

inline constexpr Topic<Bytes> flow{"cpp.flow"};
inline constexpr Topic<Bytes> burst{"cpp.burst"};
inline constexpr Service<Bytes, Bytes> reverse{"cpp.reverse"};
inline constexpr Service<Bytes, Bytes> upper{"python.upper"};

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span{text}); }
std::string text_of(const AnyMessage& message) {
  return {reinterpret_cast<const char*>(message.bytes().data()), message.bytes().size()};
}

/// What has come from the peer so far, over all threads of the bus.
struct Arrived {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t plain = 0, grouped = 0, wrong = 0, gaps = 0, lost = 0, served = 0;

  void message(const Message<Bytes>& message, std::uint64_t& count) {
    const std::lock_guard lock{mutex};
    ++count;
    // The peer writes into each message its number.
    if (text_of(message) != std::to_string(message.sequence())) ++wrong;
    changed.notify_all();
  }
  void event(const SubscriptionEvent& event) {
    if (event.kind != EventKind::gap) return;
    const std::lock_guard lock{mutex};
    ++gaps;
    lost += event.last - event.first + 1;
    changed.notify_all();
  }
  void answer(const Request<Bytes>& request, Responder<Bytes> responder) {
    std::string text = text_of(request);
    {
      const std::lock_guard lock{mutex};
      ++served;
    }
    if (text == "fail") return static_cast<void>(responder.fail(7, "as you wish"));
    static_cast<void>(responder.reply(bytes_of(std::string{text.rbegin(), text.rend()})));
  }
};

void publish(Publisher<Bytes>& publisher, std::uint64_t count) {
  static_cast<void>(publisher.wait_matched(1, 20s));
  std::uint64_t dropped = 0;
  for (std::uint64_t n = 1; n <= count; ++n) {
    const auto published = publisher.publish(bytes_of(std::to_string(n)));
    dropped += published ? published->dropped : 1;
  }
  std::cout << "published " << count << ' ' << dropped << std::endl;
}

void ask(Client<Bytes, Bytes>& client, std::uint64_t count) {
  static_cast<void>(client.wait_server(20s));
  std::uint64_t right = 0;
  for (std::uint64_t n = 1; n <= count; ++n) {
    const auto reply = client.request(bytes_of("ask " + std::to_string(n))).get();
    if (reply && text_of(*reply) == "ASK " + std::to_string(n)) ++right;
  }
  const auto failed = client.request(bytes_of("fail")).get();
  std::cout << "answered " << right << ' ' << count - right << ' '
            << (failed ? "none" : name_of(failed.error().code())) << std::endl;
}

}  // namespace

int main() {
  Arrived arrived;
  auto bus = Bus::open({.name = "other-side"}).value();
  auto plain = bus.subscribe(Pattern<Bytes>::parse("python.>").value(),
                             [&](const Message<Bytes>& message) { arrived.message(message, arrived.plain); },
                             {.queue = Queue{.messages = 64, .overflow = Overflow::block},
                              .on_event = [&](const SubscriptionEvent& event) { arrived.event(event); }}).value();
  auto grouped = bus.subscribe(Topic<Bytes>{"python.load"},
                               [&](const Message<Bytes>& message) { arrived.message(message, arrived.grouped); },
                               {.queue = Queue{.messages = 4096}, .group = "workers"}).value();
  auto server = bus.serve(reverse, [&](Request<Bytes> request, Responder<Bytes> responder) {
    arrived.answer(request, std::move(responder));
  }).value();
  auto flows = bus.publisher(flow, {.far_wait = true}).value();
  auto bursts = bus.publisher(burst).value();
  auto client = bus.client(upper).value();
  bus.attach(zmq::transport({.listen = {"tcp://127.0.0.1:0"}, .peers = {}})).value();
  std::cout << "ready " << bus.listening().front() << std::endl;

  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::istringstream words{line};
    std::string command;
    std::uint64_t count = 0, lost = 0;
    words >> command >> count >> lost;
    if (command == "flow") publish(flows, count);
    if (command == "burst") publish(bursts, count);
    if (command == "ask") ask(client, count);
    if (command != "received") continue;
    std::unique_lock lock{arrived.mutex};
    arrived.changed.wait_for(lock, 20s, [&] {
      return arrived.plain >= count && arrived.grouped >= count && arrived.lost >= lost;
    });
    std::cout << "received " << arrived.plain << ' ' << arrived.grouped << ' ' << arrived.wrong << ' ' << arrived.gaps
              << ' ' << arrived.lost << std::endl;
  }
  const bool complete = bus.close(5s).complete;
  const std::lock_guard lock{arrived.mutex};
  std::cout << "closed " << arrived.served << ' ' << (complete ? "complete" : "incomplete") << std::endl;
}
