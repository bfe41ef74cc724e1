#include "worlds/faults.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace midplane::worlds {

std::string_view name_of(Fault fault) noexcept {
  static constexpr std::array<std::string_view, fault_kinds> names{
      "cut", "cut_one_way", "half_open", "disconnect", "flaky", "corrupt", "duplicate", "slow", "crash", "vanish", "leave", "burst"};
  return names[static_cast<std::size_t>(fault)];
}

std::vector<Planned> plan(Dice& dice, unsigned hosts, Duration during) {
  std::vector<Fault> kinds{Fault::cut, Fault::crash, Fault::burst};
  for (auto more = dice.between(2, 7); more-- > 0;) kinds.push_back(static_cast<Fault>(dice.below(fault_kinds)));
  std::vector<Planned> planned;
  const auto last = during / std::chrono::milliseconds{1} - 2000;
  for (const Fault kind : kinds) {
    Planned one{{dice.ms(500, last).count()}, kind};
    one.a = static_cast<unsigned>(dice.below(hosts));
    one.b = (one.a + 1 + static_cast<unsigned>(dice.below(hosts - 1))) % hosts;
    // Shorter and longer than a peer is waited for, and rarely so long that it is forgotten.
    one.length = dice.percent(30) ? dice.ms(20, 900) : dice.ms(1000, 6000);
    if (kind == Fault::cut && dice.percent(2)) one.length = dice.ms(62'000, 75'000);
    planned.push_back(one);
  }
  std::stable_sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) { return a.at < b.at; });
  return planned;
}

}  // namespace midplane::worlds
