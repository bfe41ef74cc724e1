// Problem: an answer is longer than one message, and a slow reader must not make the server pile it up.
// The server may be 64 items ahead; then send() says no_credit and writable() tells when to go on.
#include <functional>
#include <memory>

#include "market.hpp"

using exchange::Quote;

/// Sends the numbers up to `count`, as far as the reader's credit goes each time.
struct History : std::enable_shared_from_this<History> {
  midplane::StreamResponder<Quote> out;
  unsigned count = 0;
  unsigned next = 0;
  unsigned waits = 0;

  void go_on() {
    while (next < count) {
      const auto sent = out.send(quote("ACME", next));
      if (!sent || *sent == midplane::Streamed::gone) return;
      if (*sent == midplane::Streamed::no_credit) {
        ++waits;
        out.writable([self = shared_from_this()] { self->go_on(); });
        return;
      }
      ++next;
    }
    must(out.finish());
  }
};

int main() {
  auto bus = must(midplane::Bus::open({.executor = midplane::manual_executor()}));
  std::shared_ptr<History> history;
  auto server = must(bus.serve(exchange::market::history,
                               [&](midplane::Request<exchange::Ask> asked, midplane::StreamResponder<Quote> out) {
                                 history = std::make_shared<History>();
                                 history->count = asked->count();
                                 history->out = std::move(out);
                                 history->go_on();
                               }));
  auto client = must(bus.client(exchange::market::history));
  auto stream = client.open(ask("ACME", 200));
  unsigned items = 0;
  double sum = 0;
  while (auto item = must(stream.next(std::chrono::seconds{5}))) {
    ++items;
    sum += (*item)->price();
  }
  std::printf("%u items, sum %.0f\n", items, sum);
  std::printf("the server waited for its reader: %s\n", history->waits > 0 ? "yes" : "no");
}
