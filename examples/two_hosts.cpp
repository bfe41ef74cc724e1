// Problem: the same on two hosts. One listens, one dials; a copy of the program runs on each:
//   two_hosts --listen tcp://192.0.2.1:7400 --insecure        two_hosts --peer tcp://192.0.2.1:7400 --insecure
// Off loopback nothing is encrypted yet: --insecure says that you know. On one host leave it out: tcp://127.0.0.1:7400.
#include <cstring>
#include <future>

#include <midplane/zmq.hpp>

#include "market.hpp"

using exchange::Ask;
using exchange::Quote;
using midplane::Message;
using namespace std::chrono_literals;

/// Serves prices until somebody has asked and heard, then says goodbye.
void host(const char* listen, bool insecure) {
  auto bus = must(midplane::Bus::open({.name = "exchange"}));
  std::promise<void> asked;
  auto server = must(bus.serve(exchange::market::quote, [](const midplane::Request<Ask>& request) {
    std::printf("asked for %u %s by %s\n", request->count(), request->symbol()->c_str(), std::string{request.peer()}.c_str());
    return quote(request->symbol()->c_str(), 12.5);
  }));
  auto orders = must(bus.subscribe(midplane::Topic<Ask>{"market.orders"}, [&](const Message<Ask>& order) {
    std::printf("sold %u %s\n", order->count(), order->symbol()->c_str());
    asked.set_value();
  }));
  must(bus.attach(midplane::zmq::transport({.listen = {listen}, .insecure = insecure})));
  std::printf("listening at %s\n", bus.listening().front().c_str());
  std::fflush(stdout);
  asked.get_future().wait();
}

/// Asks, and orders when it is cheap.
void peer(const char* address, bool insecure) {
  auto bus = must(midplane::Bus::open({.name = "trader"}));
  auto client = must(bus.client(exchange::market::quote));
  auto orders = must(bus.publisher(midplane::Topic<Ask>{"market.orders"}));
  must(bus.attach(midplane::zmq::transport({.peers = {address}, .insecure = insecure})));

  const auto reply = must(client.request(ask("ACME", 10)).get());  // waits for the link too, within its timeout
  std::printf("%s says %s costs %.2f\n", std::string{reply.peer()}.c_str(), reply->symbol()->c_str(), reply->price());
  must(orders.wait_matched(1, 5s));
  const auto published = must(orders.publish(ask("ACME", 10)));
  std::printf("ordered: %u took it\n", published.queued);
  bus.drain(5s);  // what was published has left before the process ends
}

int main(int argc, char** argv) {
  const bool insecure = argc == 4 && std::strcmp(argv[3], "--insecure") == 0;
  if (argc == 3 || insecure) {
    if (std::strcmp(argv[1], "--listen") == 0) return host(argv[2], insecure), 0;
    if (std::strcmp(argv[1], "--peer") == 0) return peer(argv[2], insecure), 0;
  }
  std::fprintf(stderr, "usage: two_hosts --listen ADDRESS [--insecure] | --peer ADDRESS [--insecure]\n");
  return 2;
}
