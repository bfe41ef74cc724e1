#pragma once
/// Which host sees which as linked, and by when it has to notice that the other is gone (P11).

#include <map>
#include <string>

#include "worlds/record.hpp"

namespace midplane::worlds {

class LinkViews {
 public:
  explicit LinkViews(Record& record) : record_{record} {}

  /// The next incarnation of a peer may be up before the last one is lost.
  void up(unsigned viewer, unsigned peer) { ++views_[{viewer, peer}].links; }
  void lost(unsigned viewer, unsigned peer) {
    const auto found = views_.find({viewer, peer});
    if (found == views_.end()) return;
    check_one(viewer, peer, found->second.lost_by);
    found->second.lost_by = Instant::never();
    found->second.is_dead = false;
    if (--found->second.links == 0) views_.erase(found);
  }
  /// From now on the viewer hears nothing of the peer, if it is linked to it: it has to lose it in time. An earlier
  /// silence counts on. `is_dead`: the other end is gone, and nothing brings this link back.
  void silent(unsigned viewer, unsigned peer, Duration within, bool is_dead = false) {
    const auto found = views_.find({viewer, peer});
    if (found == views_.end()) return;
    found->second.is_dead |= is_dead;
    if (found->second.lost_by == Instant::never()) found->second.lost_by = record_.clock.now() + within;
  }
  /// The way from the peer is open. Of a dead link only what was under way still comes; it is lost `within` then.
  void heard_again(unsigned viewer, unsigned peer, Duration within) {
    const auto found = views_.find({viewer, peer});
    if (found == views_.end()) return;
    check_one(viewer, peer, found->second.lost_by);
    found->second.lost_by = found->second.is_dead ? record_.clock.now() + within : Instant::never();
  }
  /// The viewer is gone itself.
  void forget(unsigned viewer) {
    std::erase_if(views_, [&](const auto& one) { return one.first.first == viewer; });
  }
  void check() {
    for (const auto& [pair, view] : views_) check_one(pair.first, pair.second, view.lost_by);
  }
  [[nodiscard]] bool is_up(unsigned viewer, unsigned peer) const { return views_.contains({viewer, peer}); }

 private:
  struct View {
    unsigned links = 0;
    Instant lost_by = Instant::never();
    bool is_dead = false;
  };
  void check_one(unsigned viewer, unsigned peer, Instant lost_by) {
    record_.law.check(Rule::dead_is_lost, record_.clock.now() <= lost_by, [&] {
      return host_name(viewer) + " had to lose " + host_name(peer) + " by " + std::to_string(lost_by.nanoseconds / 1000) + " us";
    });
  }

  Record& record_;
  std::map<std::pair<unsigned, unsigned>, View> views_;
};

}  // namespace midplane::worlds
