#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <midplane/extend/random.hpp>

#include "exec/timer_heap.hpp"

using namespace midplane;

namespace {
struct Timer final : TimerWork {
  void fire() noexcept override {}
};
}  // namespace

TEST_CASE("timers leave the heap by due time, ties in the order of their starts, whatever was cancelled") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto random = seeded_random(seed);
    exec::TimerHeap heap;
    std::vector<std::unique_ptr<Timer>> timers;
    std::vector<Timer*> expected;
    for (int step = 0; step < 400; ++step) {
      const auto draw = random->next() % 10;
      if (draw < 6 || expected.empty()) {
        timers.push_back(std::make_unique<Timer>());
        timers.back()->due = {static_cast<std::int64_t>(random->next() % 50)};
        heap.push(*timers.back());
        expected.push_back(timers.back().get());
      } else if (draw < 8) {
        const auto at = static_cast<std::ptrdiff_t>(random->next() % expected.size());
        REQUIRE(heap.remove(*expected[static_cast<std::size_t>(at)]));
        REQUIRE(!heap.remove(*expected[static_cast<std::size_t>(at)]));
        expected.erase(expected.begin() + at);
      } else {
        const auto first = std::min_element(expected.begin(), expected.end(),
                                            [](Timer* a, Timer* b) { return a->due < b->due; });
        REQUIRE(heap.next_due() == (*first)->due);
        REQUIRE(heap.pop_due({(*first)->due.nanoseconds - 1}) == nullptr);
        REQUIRE(heap.pop_due(Instant::never()) == *first);
        expected.erase(first);
      }
    }
    heap.clear();
    CHECK(heap.empty());
    for (const auto& timer : timers) CHECK(timer->position == TimerWork::npos);
  }
}

TEST_CASE("what was started later than a place stays in the heap") {
  exec::TimerHeap heap;
  Timer early, late;
  heap.push(early);
  const auto before = heap.next_position();
  heap.push(late);
  CHECK(heap.pop_due({}, before) == &early);
  CHECK(heap.pop_due({}, before) == nullptr);
  CHECK(heap.pop_due({}) == &late);
}
