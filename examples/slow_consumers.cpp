// Problem: a subscriber is slower than its publisher, and every queue has a bound. What happens there is its choice.
// Five ticks meet room for two, once for each policy; nobody reads until they are published. Every loss has a counter.
#include "market.hpp"

using exchange::Tick;
using midplane::DropReason;
using midplane::Overflow;

void show(const char* name, Overflow overflow) {
  auto bus = must(midplane::Bus::open({.executor = midplane::manual_executor()}));
  std::string seen;
  const midplane::Queue queue{.messages = 2, .overflow = overflow, .block_for = std::chrono::milliseconds{1}};
  auto slow = must(bus.subscribe(
      exchange::market::ticks,
      [&](const midplane::Message<Tick>& tick) { seen += ' ' + std::to_string(static_cast<int>(tick->price())); },
      {.queue = queue}));
  auto ticks = must(bus.publisher(exchange::market::ticks));
  int full = 0;
  for (int price = 1; price <= 5; ++price) {
    const auto published = ticks.publish(tick("ACME", price));
    if (!published && published.error().code() == midplane::ErrorCode::full) ++full;
    else must(published);
  }
  bus.drain(std::chrono::seconds{5});
  const auto stats = slow.stats();
  std::printf("%-11s saw%-10s offered %d, delivered %d, newest %d, oldest %d, conflated %d, refused %d, full %d\n", name,
              seen.c_str(), static_cast<int>(stats.offered), static_cast<int>(stats.delivered),
              static_cast<int>(stats.dropped[DropReason::queue_full_newest]),
              static_cast<int>(stats.dropped[DropReason::queue_full_oldest]),
              static_cast<int>(stats.dropped[DropReason::conflated]), static_cast<int>(stats.refused), full);
}

int main() {
  show("drop_newest", Overflow::drop_newest);
  show("drop_oldest", Overflow::drop_oldest);
  show("latest", Overflow::latest);
  show("refuse", Overflow::refuse);
  show("block", Overflow::block);  // on a manual executor the publisher drives the handler until there is room
}
