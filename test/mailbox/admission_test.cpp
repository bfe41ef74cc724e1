/// The bound that all lanes of a mailbox share.
#include <doctest/doctest.h>

#include <functional>
#include <utility>

#include "mailbox/admission.hpp"

using namespace midplane::mailbox;

namespace {

/// At the chosen step of a sender others do something.
struct AtAStep {
  static inline int steps_left = -1;
  static inline std::function<void()> others;
  static void pause() {
    if (steps_left >= 0 && steps_left-- == 0) others();
  }
};
using Paused = BasicAdmission<AtAStep>;

/// A queue of four in which `waiting` wait, and of those before them the senders have seen none leave: whoever takes room now
/// takes each of the four steps. `others` have their turn at one of them.
void at_each_step(int waiting, const std::function<void(Paused&)>& others, const std::function<void(Paused&)>& sender) {
  for (int step = 0; step < 4; ++step) {
    CAPTURE(step);
    Paused admission{4, 1 << 20};
    for (int i = 0; i < 4; ++i) REQUIRE(admission.reserve(load_of(1, 0)));
    admission.release(load_of(4 - waiting, 0));
    AtAStep::others = [&] { others(admission); };
    AtAStep::steps_left = step;
    sender(admission);
    CHECK(AtAStep::steps_left == -1);  // they had it
  }
}

}  // namespace

TEST_CASE("Admission is exact in messages and in bytes, also when its words have wrapped") {
  Admission admission{3, 100};
  for (int round = 0; round < 100'000; ++round) {
    REQUIRE(admission.reserve(load_of(1, 50)));
    REQUIRE_FALSE(admission.reserve(load_of(1, 51)));
    REQUIRE(admission.reserve(load_of(1, 50)));
    REQUIRE(admission.reserve(load_of(1, 0)));
    REQUIRE_FALSE(admission.reserve(load_of(1, 0)));
    admission.release(load_of(1, 50));
    admission.unreserve(load_of(1, 50));
    admission.release(load_of(1, 0));
  }
  CHECK(admission.used() == 0);
}

TEST_CASE("a sender that stands still while the count of messages comes round does not go beyond the bound") {
  constexpr std::uint64_t all = std::uint64_t{1} << (64 - load_byte_bits);
  // Behind so many, and one, the four that wait then look like one to who goes by what had left first, or when he looked.
  for (const std::uint64_t passing : {all - 8, all - 4}) {
    const auto come_round_and_fill = [passing](Paused& admission) {
      const auto pass = [&admission](std::uint64_t messages) {
        if (!admission.reserve(load_of(messages, 0))) FAIL("refused room that was there");
        admission.release(load_of(messages, 0));
      };
      for (std::uint64_t i = 0; i < passing; i += 4) pass(4);
      pass(1);
      CHECK(admission.reserve(load_of(4, 0)));
    };
    at_each_step(0, come_round_and_fill, [](Paused& admission) {
      CHECK_FALSE(admission.reserve(load_of(1, 0)));
      CHECK_FALSE(admission.reserve(load_of(1, 0)));
      CHECK(messages_in(admission.used()) == 4);
    });
  }
}

TEST_CASE("nobody is refused room that is there, whatever others take and leave at that moment") {
  const auto take_and_leave = [](Paused& admission) {
    for (int i = 0; i < 8; ++i) {
      CHECK(admission.reserve(load_of(1, 0)));
      admission.release(load_of(1, 0));
    }
  };
  at_each_step(3, take_and_leave, [](Paused& admission) {
    CHECK(admission.reserve(load_of(1, 0)));
    CHECK(messages_in(admission.used()) == 4);
  });
}
