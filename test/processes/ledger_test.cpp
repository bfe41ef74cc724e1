#include "processes/ledger.hpp"

#include <doctest/doctest.h>

namespace midplane::test {

TEST_CASE("the ledger of processes is content when each number was delivered or lies in a gap, in order") {
  Ledger ledger;
  ledger.delivered(1, 11, 20, 1);
  ledger.gap(11, 12);
  ledger.delivered(1, 23, 25, 13);
  ledger.gap(16, 16);
  CHECK(ledger.faults() == "");
  CHECK(ledger.covers(1, 11, 26));
  CHECK_FALSE(ledger.covers(1, 11, 27));
  CHECK(ledger.delivered() == 13);
  CHECK(ledger.missing() == 3);
  ledger.incarnation_changed();
  ledger.delivered(2, 1, 5, 1);
  CHECK(ledger.faults() == "");
  CHECK(ledger.covers(2, 1, 5));
}

TEST_CASE("the ledger of processes finds silent loss, repeats, disorder, gaps over delivered ids and silent restarts") {
  const auto faulty = [](auto&& happens) {
    Ledger ledger;
    ledger.delivered(1, 1, 10, 1);
    happens(ledger);
    return !ledger.faults().empty();
  };
  CHECK(faulty([](Ledger& ledger) { ledger.delivered(1, 12, 13, 12); }));
  CHECK(faulty([](Ledger& ledger) { ledger.delivered(1, 10, 10, 10); }));
  CHECK(faulty([](Ledger& ledger) { ledger.delivered(1, 9, 11, 11); }));
  CHECK(faulty([](Ledger& ledger) { ledger.delivered(1, 12, 12, 1); }));
  CHECK(faulty([](Ledger& ledger) { ledger.gap(10, 11); }));
  CHECK(faulty([](Ledger& ledger) { ledger.gap(12, 14); }));
  CHECK(faulty([](Ledger& ledger) { ledger.gap(0, 0); }));
  CHECK(faulty([](Ledger& ledger) { ledger.delivered(2, 1, 3, 1); }));
}

}  // namespace midplane::test
