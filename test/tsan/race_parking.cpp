/// Expected to be reported by ThreadSanitizer: a Parking whose orders are relaxed wakes, but shows nothing.
#include <thread>

#include "base/parking.hpp"

int main() {
  midplane::base::BasicParking<midplane::base::Relaxed> parking;
  int news = 0;
  const auto key = parking.prepare();
  std::thread waker{[&] {
    news = 1;
    parking.wake_all();
  }};
  parking.wait(key, midplane::Instant::never());
  const int seen = news;
  waker.join();
  return seen == 1 ? 0 : 1;
}
