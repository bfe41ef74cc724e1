/// Expected to be reported by ThreadSanitizer: a Flag whose orders are relaxed guards nothing.
#include <mutex>
#include <thread>

#include "base/flag.hpp"

int main() {
  midplane::base::BasicFlag<midplane::base::Relaxed> flag;
  long count = 0;
  const auto add = [&] {
    for (int i = 0; i < 10'000; ++i) {
      const std::lock_guard lock{flag};
      ++count;
    }
  };
  std::thread other{add};
  add();
  other.join();
}
