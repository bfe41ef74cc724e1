#pragma once
/// What one subscription sees, and the promises that can be checked there and then: P1, P2, P8, P9, P15, retained, groups.

#include <map>
#include <string>
#include <vector>

#include "worlds/record.hpp"

namespace midplane::worlds {

/// What kind of subscription looks.
struct View {
  unsigned life = 0;
  std::string name;
  bool is_plain = true;   ///< no queue group: every number of a topic is for it
  bool is_ample = false;  ///< its queue is never full and its handler runs at once
  std::size_t bound = 0;  ///< messages that its queue may hold
};

class Sight {
 public:
  Sight(Record& record, View view) : record_{record}, view_{std::move(view)} {}
  Sight(const Sight&) = delete;

  void message(const AnyMessage& message);
  void event(const SubscriptionEvent& event);
  void end() noexcept { ended_ = true; }
  /// The handler is about to throw.
  void failed() noexcept { ++failed_; }

  // Looked at between steps.
  [[nodiscard]] const View& view() const noexcept { return view_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  void check_counts(const SinkStats& stats) const;
  /// The subscription has had two heartbeats since the last publish of `life`.
  void check_tail(unsigned life, std::uint32_t topic, const SinkStats& stats) const;
  /// Numbers of `life` and `topic` that were reported as missing.
  [[nodiscard]] std::uint64_t gaps(unsigned life, std::uint32_t topic) const;
  [[nodiscard]] bool has_seen(const Stamp& stamp) const;
  /// The incarnation of `host` that runs now has confirmed it; the events do not say on which connection.
  [[nodiscard]] bool confirmed_by(unsigned host) const;
  /// The first message of this life and topic was marked as retained, and was this one.
  [[nodiscard]] bool began_with(const Stamp& stamp) const;

 private:
  /// The numbers of one (peer, topic), as one incarnation of the peer gives them.
  struct Series {
    bool is_open = false;
    bool has_life = false;
    bool has_offset = false;
    bool told_of_restart = false;
    unsigned life = 0;
    std::uint64_t first = 0, last = 0;        ///< seen or reported
    std::uint64_t gap_first = 0, gap_last = 0;  ///< the last gap
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;  ///< all of them
    std::uint64_t offset = 0;                 ///< number - index
  };
  struct Mark {
    unsigned life = 0;
    std::array<std::uint64_t, topics.size()> published{};
  };
  struct First {
    std::uint64_t publisher = 0, counter = 0;
    bool is_retained = false;
  };

  void entered(const Stamp& stamp, bool is_retained);
  void check_not_lost(const Stamp& stamp, unsigned host) const;
  void numbered(const Stamp& stamp, unsigned host, std::uint64_t number);
  void check_number(const Series& series, const Stamp& stamp, std::uint64_t number);
  void check_start(const Series& series, unsigned host, std::uint32_t topic);
  void gap(const SubscriptionEvent& event, unsigned host);
  void forget(unsigned host, std::string_view topic, bool is_restart);
  /// So many messages its own counters can still explain.
  [[nodiscard]] std::uint64_t own_drops(const SinkStats& stats) const;
  [[nodiscard]] std::string who(const Stamp& stamp) const;

  Record& record_;
  View view_;
  bool ended_ = false;
  std::uint64_t entered_ = 0, failed_ = 0;
  std::uint64_t missing_ = 0;           ///< numbers without message and without gap, seen ones on both sides
  std::uint64_t missing_at_start_ = 0;  ///< published after the confirmation, before the first that was seen
  std::map<std::uint64_t, std::vector<bool>> counters_;  ///< by publisher
  std::map<std::pair<unsigned, std::uint32_t>, First> firsts_;
  std::map<std::pair<unsigned, std::uint32_t>, Series> series_;
  std::map<std::pair<unsigned, std::uint32_t>, std::uint64_t> gaps_;
  std::map<unsigned, Mark> marks_;
  std::map<unsigned, unsigned> confirmed_;
};

}  // namespace midplane::worlds
