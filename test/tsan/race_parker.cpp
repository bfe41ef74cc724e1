/// Expected to be reported by ThreadSanitizer: a Parker whose orders are relaxed passes a token, but shows nothing.
#include <thread>

#include "base/parking.hpp"

int main() {
  midplane::base::BasicParker<midplane::base::Relaxed> parker;
  int news = 0;
  std::thread waker{[&] {
    news = 1;
    parker.unpark();
  }};
  parker.park(midplane::Instant::never());
  const int seen = news;
  waker.join();
  return seen == 1 ? 0 : 1;
}
