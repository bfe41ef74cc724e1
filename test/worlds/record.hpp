#pragma once
/// The world's own book of publishes and incarnations, against which everything that is seen is held.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "worlds/law.hpp"
#include "worlds/topics.hpp"

namespace midplane::worlds {

struct LifeFacts {
  unsigned host = 0;
  bool ended = false;
};

/// What every part of a world writes to.
class Record {
 public:
  Record(Trace& its_trace, Law& its_law, const Clock& its_clock) : trace{its_trace}, law{its_law}, clock{its_clock} {}

  Trace& trace;
  Law& law;
  const Clock& clock;

  unsigned new_life(unsigned host) {
    lives_.push_back({host, false});
    published_.emplace_back();
    return static_cast<unsigned>(lives_.size() - 1);
  }
  void end_life(unsigned life) { lives_[life].ended = true; }
  [[nodiscard]] const LifeFacts& life(unsigned life) const { return lives_[life]; }
  /// The last incarnation of a host.
  [[nodiscard]] unsigned life_of(unsigned host) const {
    std::size_t last = lives_.size();
    while (lives_[--last].host != host) continue;
    return static_cast<unsigned>(last);
  }
  /// What a bus calls its lifetime, so that its peers can be asked which one they are linked to.
  void named(unsigned life, std::string incarnation) { incarnations_[std::move(incarnation)] = life; }
  /// A life tells of a host while it is linked to these incarnations of it.
  void speaks(unsigned viewer, unsigned host, const std::vector<std::string>& incarnations) {
    std::optional<unsigned> one;
    if (incarnations.size() == 1) one = incarnations_.at(incarnations.front());
    const auto [place, is_new] = speakers_.try_emplace({viewer, host}, Speaker{clock.now(), one});
    if (is_new) return;
    Speaker& known = place->second;
    if (known.at == clock.now() && known.life != one) one.reset();
    known = {clock.now(), one};
  }
  /// Which life of the host an event is about that a subscription hears at the instant in which its bus heard of it.
  /// Empty when that was earlier, or when the bus is linked to a dead life too, whose last frames may still come.
  [[nodiscard]] std::optional<unsigned> speaker(unsigned viewer, unsigned host) const {
    const auto found = speakers_.find({viewer, host});
    return found == speakers_.end() || found->second.at != clock.now() ? std::nullopt : found->second.life;
  }
  /// The bus of a life was told at this instant that numbers from `first` on were lost on the way from a host.
  void lost_on_the_way(unsigned viewer, unsigned host, std::size_t topic, std::uint64_t first) {
    lost_.insert({viewer, host, topic, first, clock.now().nanoseconds});
  }
  [[nodiscard]] bool was_lost_on_the_way(unsigned viewer, unsigned host, std::size_t topic, std::uint64_t first) const {
    return lost_.contains({viewer, host, topic, first, clock.now().nanoseconds});
  }
  [[nodiscard]] std::uint64_t new_publisher() noexcept { return ++publishers_; }

  /// Publishes of one life on one topic that returned no error.
  [[nodiscard]] std::uint64_t published(unsigned life, std::uint32_t topic) const { return published_[life][topic].size(); }
  void took(const Stamp& stamp) { published_[stamp.life][stamp.topic].push_back({stamp.publisher, stamp.counter}); }
  /// It answered an error: it was offered to nobody.
  void took_back(const Stamp& stamp) { published_[stamp.life][stamp.topic].pop_back(); }
  [[nodiscard]] bool knows(const Stamp& stamp) const {
    if (stamp.life >= published_.size() || stamp.topic >= topics.size()) return false;
    const auto& list = published_[stamp.life][stamp.topic];
    return stamp.index < list.size() && list[stamp.index] == std::pair{stamp.publisher, stamp.counter};
  }
  /// How many members of the group have seen this job, with this one.
  unsigned job_seen(const Stamp& stamp) { return ++jobs_[{stamp.life, stamp.index}]; }
  [[nodiscard]] unsigned job_members(unsigned life, std::uint64_t index) const {
    const auto found = jobs_.find({life, index});
    return found == jobs_.end() ? 0 : found->second;
  }

 private:
  struct Speaker {
    Instant at;
    std::optional<unsigned> life;
  };
  std::vector<LifeFacts> lives_;
  std::map<std::string, unsigned> incarnations_;
  std::map<std::pair<unsigned, unsigned>, Speaker> speakers_;
  std::set<std::tuple<unsigned, unsigned, std::size_t, std::uint64_t, std::int64_t>> lost_;
  std::vector<std::array<std::vector<std::pair<std::uint64_t, std::uint64_t>>, topics.size()>> published_;
  std::map<std::pair<unsigned, std::uint64_t>, unsigned> jobs_;
  std::uint64_t publishers_ = 0;
};

/// Hosts are called h0, h1, ...
inline std::string host_name(unsigned host) { return "h" + std::to_string(host); }
inline unsigned host_number(std::string_view name) {
  return name.size() < 2 ? ~0U : static_cast<unsigned>(name[1] - '0');
}

}  // namespace midplane::worlds
