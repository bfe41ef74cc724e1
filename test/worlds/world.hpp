#pragma once
/// A world: hosts, the network between them, and what goes wrong; all of it from one seed, on one thread.

#include <memory>
#include <vector>

#include "worlds/faults.hpp"
#include "worlds/host.hpp"

namespace midplane::worlds {

struct WorldOptions {
  std::uint64_t seed = 1;
  Rules without{};
  bool keeps_text = false;
};

/// What is left of a world.
struct Outcome {
  std::vector<Violation> violations;
  std::uint64_t hash = 0;
  std::uint64_t deliveries = 0, publishes = 0, requests = 0;
  Duration lasted{};
  std::vector<Trace::Line> lines;  ///< only when text is kept
};

/// Runs the world of a seed to its end.
[[nodiscard]] Outcome run_world(const WorldOptions& options);
/// As run_world, twice: a difference between the two runs is a violation too.
[[nodiscard]] Outcome run_world_twice(const WorldOptions& options);
/// Chooses a seeded defect for this process, as scripts/mutants.txt counts them. Before the first world.
void choose_defect(int number);

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  void run();
  [[nodiscard]] Outcome outcome() const;

 private:
  struct Slot {
    std::unique_ptr<Host> host;  ///< null: down
    std::vector<std::string> dials;
  };

  // world.cpp
  void start(unsigned number);
  void stop(unsigned number, bool is_crash);
  void step(Duration duration, bool everything);
  [[nodiscard]] std::vector<Host*> alive();

  // world_faults.cpp
  [[nodiscard]] Duration on_its_way() const;
  void act_on_plan();
  void begin(const Planned& fault);
  void finish(const Planned& fault);
  void cut(unsigned from, unsigned to);
  void heal(unsigned a, unsigned b);
  void bother(unsigned from, unsigned to, Fault kind);
  void gone(unsigned number, Duration within);
  void calm();

  // world_checks.cpp
  void check_books(Host& host, bool at_rest);
  void note_full_queues(Host& host);
  void check_rest();
  void check_gaps(Host& sender, const Stats& stats);

  // world_end.cpp
  [[nodiscard]] bool is_whole();
  [[nodiscard]] std::string unconfirmed();
  void converge();
  void empty_links();
  void rest();
  void probe();
  void probe_joiners();
  void probe_requests();

  Ground ground_;
  testing::Faults weather_;  ///< of every direction that has nothing worse
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Host>> ended_;
  std::vector<Planned> planned_;
  std::size_t steps_ = 0;
  bool had_cut_ = false, had_crash_ = false, had_full_queue_ = false;
};

}  // namespace midplane::worlds
