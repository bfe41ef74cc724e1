#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/flag.hpp"
#include "base/intake.hpp"
#include "base/parking.hpp"
#include "base/spin.hpp"

using namespace midplane;

namespace {
struct Item {
  Item* next = nullptr;
  int from = 0;
  int number = 0;
};
}  // namespace

TEST_CASE("a flag lets one thread in at a time") {
  base::Flag flag;
  long count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const std::lock_guard lock{flag};
        ++count;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(count == 80'000);
  CHECK(flag.try_lock());
  CHECK(!flag.try_lock());
  flag.unlock();
}

TEST_CASE("an intake gives everything of each thread once and in its order") {
  constexpr int threads = 4, each = 20'000;
  base::Intake<Item> intake;
  std::vector<std::vector<Item>> items(threads, std::vector<Item>(each));
  std::vector<std::thread> pushers;
  for (int t = 0; t < threads; ++t)
    pushers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        Item& item = items[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)];
        item.from = t;
        item.number = i;
        intake.push(item);
      }
    });
  std::vector<int> next(threads, 0);
  bool in_order = true;
  for (int taken = 0; taken < threads * each;)
    for (Item* item = intake.take_all(); item; item = item->next, ++taken)
      in_order = in_order && item->number == next[static_cast<std::size_t>(item->from)]++;
  for (auto& pusher : pushers) pusher.join();
  CHECK(in_order);
  CHECK(intake.empty());
}

TEST_CASE("exactly the first push after a mark is told of it") {
  base::Intake<Item> intake;
  Item a, b;
  CHECK(intake.mark());
  CHECK(intake.mark());
  CHECK(intake.empty());
  CHECK(intake.push(a));
  CHECK(!intake.push(b));
  CHECK(!intake.mark());
  CHECK(intake.take_all() == &a);
  CHECK(a.next == &b);
  CHECK(b.next == nullptr);
}

TEST_CASE("parking loses no wake-up") {
  base::Parking parking;
  std::atomic<int> turn{0};
  const auto play = [&](int mine) {
    for (int round = 0; round < 3000; ++round) {
      while (true) {
        const auto key = parking.prepare();
        if (turn.load(std::memory_order_relaxed) % 2 == mine) {
          parking.cancel();
          break;
        }
        parking.wait(key, Instant::never());
      }
      turn.fetch_add(1, std::memory_order_relaxed);
      parking.wake_all();
    }
  };
  std::thread other{play, 1};
  play(0);
  other.join();
  CHECK(turn == 6000);
}

TEST_CASE("wakes that are put off come when the scope ends, and before the thread itself waits") {
  base::Parking to, from;
  std::atomic<int> asked{0}, answered{0};
  const auto wait_until = [](base::Parking& parking, const std::atomic<int>& value, int wanted) {
    while (true) {
      const auto key = parking.prepare();
      if (value.load(std::memory_order_acquire) == wanted) return parking.cancel();
      parking.wait(key, Instant::never());
    }
  };
  constexpr int rounds = 2000;
  std::thread other{[&] {
    for (int round = 1; round <= rounds; ++round) {
      wait_until(to, asked, round);
      answered.store(round, std::memory_order_release);
      from.wake_all();
    }
  }};
  for (int round = 1; round <= rounds; ++round) {
    const base::WakesLater later;
    asked.store(round, std::memory_order_release);
    to.wake_all();
    if (round % 2 == 0) base::WakesLater::now();
    wait_until(from, answered, round);
  }
  other.join();
  CHECK(answered == rounds);

  std::vector<std::unique_ptr<base::Parking>> many;
  std::vector<std::thread> sleepers;
  std::atomic<bool> is_time{false};
  for (int i = 0; i < 12; ++i) {
    many.push_back(std::make_unique<base::Parking>());
    sleepers.emplace_back([&is_time, &parking = *many.back()] {
      while (true) {
        const auto key = parking.prepare();
        if (is_time.load(std::memory_order_acquire)) return parking.cancel();
        parking.wait(key, Instant::never());
      }
    });
  }
  {
    const base::WakesLater later;
    is_time.store(true, std::memory_order_release);
    for (const auto& parking : many) parking->wake_all();  // more than are put off at once
  }
  for (std::thread& sleeper : sleepers) sleeper.join();
}

TEST_CASE("parking and a parker end at their deadline") {
  base::Parking parking;
  const auto key = parking.prepare();
  CHECK(!parking.wait(key, base::steady_now() + std::chrono::milliseconds{1}));
  base::Parker parker;
  CHECK(!parker.park(base::steady_now() + std::chrono::milliseconds{1}));
  parker.unpark();
  parker.unpark();
  CHECK(parker.park(Instant::never()));
  CHECK(!parker.park(Instant{}));
}

TEST_CASE("one thread of a process spins at a time") {
  REQUIRE(base::take_spin_turn());
  CHECK(!base::spin([] { return true; }));
  base::give_spin_turn();
  CHECK(base::spin([] { return true; }));
}
