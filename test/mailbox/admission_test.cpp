/// The bound that all lanes of a mailbox share.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>

#include "mailbox/admission.hpp"

using namespace midplane::mailbox;

TEST_CASE("room is refused exactly when there is none, however long ago what was released was looked at") {
  Admission admission{3, 100};
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) CHECK(admission.reserve(load_of(1, 10)));
    CHECK_FALSE(admission.reserve(load_of(1, 10)));
    admission.release(load_of(1, 10));
    CHECK_FALSE(admission.reserve(load_of(1, 81)));
    CHECK(admission.reserve(load_of(1, 80)));
    CHECK_FALSE(admission.reserve(load_of(0, 1)));
    admission.release(load_of(1, 10));
    admission.release(load_of(1, 10));
    admission.release(load_of(1, 80));
    CHECK(messages_in(admission.used()) == 0);
    CHECK(bytes_in(admission.used()) == 0);
  }
}

TEST_CASE("nobody is refused room that is there, whatever others take and leave meanwhile") {
  constexpr int each = 200'000;
  Admission admission{2, 1 << 20};  // one each
  std::array<std::atomic<int>, 2> taken{}, left{};
  std::atomic<int> refused{0}, over{0};
  const auto take = [&](std::size_t who) {
    for (int i = 0; i < each; ++i) {
      if (!admission.reserve(load_of(1, 8))) {
        ++refused;
        continue;
      }
      const int now = taken[who].fetch_add(1, std::memory_order_release) + 1;
      while (left[who].load(std::memory_order_acquire) != now) std::this_thread::yield();
    }
    ++over;
  };
  std::thread one{take, 0}, other{take, 1};
  while (over.load() < 2) {
    bool idle = true;
    for (std::size_t who = 0; who < 2; ++who) {
      const int now = taken[who].load(std::memory_order_acquire);
      if (now == left[who].load(std::memory_order_relaxed)) continue;
      admission.release(load_of(1, 8));
      left[who].store(now, std::memory_order_release);
      idle = false;
    }
    if (idle) std::this_thread::yield();
  }
  one.join();
  other.join();
  CHECK(refused.load() == 0);
}
