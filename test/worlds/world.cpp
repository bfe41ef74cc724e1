#include "worlds/world.hpp"

#include <cstdlib>

namespace midplane::worlds {

using namespace std::chrono_literals;

namespace {
constexpr Duration troubled = 12s;
}

void choose_defect(int number) { ::setenv("MIDPLANE_MUTANT", std::to_string(number).c_str(), 1); }

World::World(const WorldOptions& options) : ground_{options.seed, options.keeps_text, options.without} {
  Dice& dice = ground_.dice;
  weather_.delay_min = dice.ms(0, 2);
  weather_.delay_max = weather_.delay_min + dice.ms(0, 30);
  ground_.network.faults(weather_);
  slots_.resize(5 + dice.below(2));
  for (unsigned a = 0; a < slots_.size(); ++a) {
    for (unsigned b = a + 1; b < slots_.size(); ++b) {
      // One side dials the other, or both each other.
      const auto who = dice.below(5);
      if (who != 0) slots_[who % 2 ? a : b].dials.push_back("sim://" + host_name(who % 2 ? b : a));
      if (who != 0) continue;
      slots_[a].dials.push_back("sim://" + host_name(b));
      slots_[b].dials.push_back("sim://" + host_name(a));
    }
  }
  planned_ = plan(dice, static_cast<unsigned>(slots_.size()), troubled);
}

World::~World() {
  for (Slot& slot : slots_) slot.host.reset();
  ended_.clear();
}

void World::start(unsigned number) {
  slots_[number].host = std::make_unique<Host>(ground_, number, slots_[number].dials);
}

void World::stop(unsigned number, bool is_crash) {
  check_books(*slots_[number].host, false);
  if (is_crash) ground_.network.crash(host_name(number));
  slots_[number].host->end();
  // Its handles outlive it.
  ended_.push_back(std::move(slots_[number].host));
}

std::vector<Host*> World::alive() {
  std::vector<Host*> hosts;
  for (Slot& slot : slots_)
    if (slot.host) hosts.push_back(slot.host.get());
  return hosts;
}

void World::step(Duration duration, bool everything) {
  for (Host* host : alive()) host->carry_on(everything);
  testing::run_through(*ground_.loop, *ground_.clock, duration);
  if (everything || ground_.dice.percent(30))
    while (ground_.slow->poll() != 0) continue;
  for (Host* host : alive()) host->read_streams();
  ground_.links.check();
  ground_.requests.check();
  const auto hosts = alive();
  if (!hosts.empty()) check_books(*hosts[steps_++ % hosts.size()], false);
}

void World::run() {
  for (unsigned number = 0; number < slots_.size(); ++number) {
    start(number);
    if (ground_.dice.percent(30)) step(ground_.dice.ms(1, 100), false);
  }
  while (ground_.clock->now() < Instant{} + troubled) {
    act_on_plan();
    for (Host* host : alive())
      if (ground_.dice.percent(70)) host->act();
    step(ground_.dice.percent(50) ? ground_.dice.ms(0, 50) : ground_.dice.ms(100, 500), false);
  }
  while (!planned_.empty()) {
    act_on_plan();
    for (Host* host : alive())
      if (ground_.dice.percent(30)) host->act();
    step(500ms, false);
  }
  calm();
  converge();
  rest();
  probe();
  ground_.law.check(Rule::plan_is_kept, had_cut_ && had_crash_ && had_full_queue_, [&] {
    return std::string{had_cut_ ? "" : "no cut "} + (had_crash_ ? "" : "no crash ") + (had_full_queue_ ? "" : "no full queue");
  });
}

Outcome World::outcome() const {
  Outcome outcome;
  outcome.violations = ground_.law.violations();
  outcome.hash = ground_.trace.hash() ^ ground_.network.trace_hash();
  outcome.lasted = ground_.clock->now() - Instant{};
  outcome.lines = ground_.trace.lines();
  return outcome;
}

Outcome run_world(const WorldOptions& options) {
  World world{options};
  world.run();
  return world.outcome();
}

Outcome run_world_twice(const WorldOptions& options) {
  Outcome first = run_world(options);
  const Outcome second = run_world(options);
  if (first.hash != second.hash && !options.without[static_cast<std::size_t>(Rule::replay_is_equal)])
    first.violations.push_back({Rule::replay_is_equal, "two runs of this seed differ", first.lines.size()});
  return first;
}

}  // namespace midplane::worlds
