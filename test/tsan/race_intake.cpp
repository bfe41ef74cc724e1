/// Expected to be reported by ThreadSanitizer: an Intake whose orders are relaxed hands out items half written.
#include <thread>
#include <vector>

#include "base/intake.hpp"

struct Item {
  Item* next = nullptr;
  int number = 0;
};

int main() {
  midplane::base::Intake<Item, midplane::base::Relaxed> intake;
  std::vector<Item> items(10'000);
  std::thread pusher{[&] {
    for (Item& item : items) {
      item.number = 1;
      intake.push(item);
    }
  }};
  for (int taken = 0; taken < 10'000;)
    for (Item* item = intake.take_all(); item; item = item->next) taken += item->number;
  pusher.join();
}
