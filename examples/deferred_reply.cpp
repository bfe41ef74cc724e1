// Problem: the answer comes later, from another thread, and no worker should wait for it meanwhile.
// A Responder is the duty to answer exactly once: move it anywhere. Forgetting it is an answer, too: abandoned.
#include <thread>

#include "market.hpp"

using exchange::Quote;

int main() {
  auto bus = must(midplane::Bus::open());
  std::thread worker;
  auto server = must(bus.serve(
      exchange::market::quote, [&](midplane::Request<exchange::Ask> asked, midplane::Responder<Quote> responder) {
        if (asked->symbol()->string_view() == "LOST") return;  // the responder is dropped
        worker = std::thread{[responder = std::move(responder)]() mutable { must(responder.reply(quote("ACME", 12.5))); }};
      }));
  auto client = must(bus.client(exchange::market::quote));

  const auto reply = must(client.request(ask("ACME")).get());
  std::printf("%s costs %.2f\n", reply->symbol()->c_str(), reply->price());

  const auto lost = client.request(ask("LOST")).get();
  if (!lost) std::printf("%s, %s\n", std::string{name_of(lost.error().code())}.c_str(),
                         std::string{name_of(lost.error().fate())}.c_str());
  worker.join();  // the handler that made it has returned: it answers one request at a time
}
