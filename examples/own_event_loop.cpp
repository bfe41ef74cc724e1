// Problem: the program has an event loop already and wants no thread of anybody else.
// The manual executor is one descriptor: watch it with epoll beside your own, and call poll() when it is readable.
#include <sys/epoll.h>
#include <unistd.h>

#include "market.hpp"

int main() {
  const auto loop = midplane::manual_executor();
  auto bus = must(midplane::Bus::open({.executor = loop}));
  bool done = false;
  auto subscription = must(bus.subscribe(exchange::market::ticks, [](const midplane::Message<exchange::Tick>& tick) {
    std::printf("tick %.0f\n", tick->price());
  }));
  auto ticks = must(bus.publisher(exchange::market::ticks));

  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{.events = EPOLLIN, .data = {.fd = loop->descriptor()}};
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, loop->descriptor(), &wanted) != 0) return 1;

  int price = 0;
  const auto timer = bus.every(std::chrono::milliseconds{1}, [&] {
    if (price == 3) done = true;
    else must(ticks.publish(tick("ACME", ++price)));
  });
  while (!done) {
    epoll_event event{};
    if (epoll_wait(epoll, &event, 1, 5000) != 1) return 1;
    loop->poll();
  }
  close(epoll);
  std::puts("no thread but this one");
}
