// Shows that the ledger fails when it must: exit code 0 when every case is judged rightly, else 1.
#include <cstdio>

#include "ledger.hpp"

namespace {

hostwatch::TopicResult judged(std::initializer_list<std::uint64_t> arrived, std::map<std::string, std::uint64_t> lost) {
  hostwatch::Ledger ledger;
  for (const std::uint64_t id : arrived) ledger.note(id, id + 7, 1.0);
  hostwatch::TopicResult result;
  result.offered = 3;
  result.delivered = ledger.delivered_between(1, 3);
  result.missing = ledger.missing(1, 3);
  result.duplicates = ledger.duplicates();
  result.lost = std::move(lost);
  return result;
}

int expect(bool right, const char* what) {
  std::printf("%s  %s\n", right ? "ok  " : "FAIL", what);
  return right ? 0 : 1;
}

}  // namespace

int main() {
  int wrong = 0;
  wrong += expect(judged({1, 2, 3}, {}).adds_up(), "three delivered ids add up");
  wrong += expect(!judged({1, 3}, {}).adds_up(), "a hidden id does not add up");
  wrong += expect(judged({1, 3}, {{"queue_full_newest", 1}}).adds_up(), "a missing id with a counted reason adds up");
  wrong += expect(!judged({1, 3}, {{"expired", 1}, {"closed", 1}}).adds_up(), "two reasons for one id do not add up");
  wrong += expect(!judged({1, 2, 3}, {{"closed", 1}}).adds_up(), "a reason for a delivered id does not add up");
  wrong += expect(!judged({1, 2, 2, 3}, {}).adds_up(), "an id delivered twice does not add up");
  hostwatch::Ledger ledger;
  ledger.note(1, 8, 1.0);
  ledger.gap(9, 10);
  ledger.note(4, 11, 1.0);
  wrong += expect(ledger.missing(1, 4) == 2 && ledger.missing_in_gaps(1, 4) == 2, "a gap explains its numbers");
  wrong += expect(ledger.missing(1, 5) == 3 && ledger.missing_in_gaps(1, 5) == 2, "a gap explains no other number");
  ledger.note(3, 10, 1.0);
  wrong += expect(ledger.delivered_in_gaps() == 1, "an id that arrives out of a gap is seen");
  return wrong == 0 ? 0 : 1;
}
