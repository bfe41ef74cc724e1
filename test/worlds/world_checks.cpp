/// The library's own counters against each other and against what was seen (P3, P10).
#include "worlds/world.hpp"

namespace midplane::worlds {
namespace {

constexpr std::uint64_t absurd = std::uint64_t{1} << 40;

std::string text(const SinkStats& sink, unsigned life) {
  return sink.kind + " " + sink.name + " to '" + sink.peer + "' of life " + std::to_string(life) + ": offered " +
         std::to_string(sink.offered) + " delivered " + std::to_string(sink.delivered) + " dropped " +
         std::to_string(sink.dropped.total()) + " waiting " + std::to_string(sink.waiting) + " in transit " +
         std::to_string(sink.in_transit);
}

}  // namespace

void World::check_books(Host& host, bool at_rest) {
  for (const Reader& reader : host.readers()) reader.sight->check_counts(reader.stats());
  const Stats stats = host.bus().stats();
  for (const SinkStats& sink : stats.sinks) {
    const std::uint64_t sum = sink.delivered + sink.dropped.total() + sink.waiting + sink.in_transit;
    const bool is_sound = sink.offered == sum && sink.offered < absurd && sink.delivered < absurd &&
                          sink.dropped.total() < absurd && sink.waiting < absurd && sink.in_transit < absurd;
    const bool is_far = !sink.peer.empty();
    ground_.law.check(is_far ? Rule::link_conserved : Rule::conserved, is_sound, [&] { return text(sink, host.life()); });
    had_full_queue_ |= sink.dropped[DropReason::queue_full_newest] + sink.dropped[DropReason::queue_full_oldest] != 0;
    if (at_rest)
      ground_.law.check(Rule::rest_is_exact, sink.waiting == 0 && sink.in_transit == 0, [&] { return text(sink, host.life()); });
  }
  if (at_rest) check_gaps(host, stats);
}

/// What a subscriber was told to be missing is dropped in the sender's books.
void World::check_gaps(Host& sender, const Stats& stats) {
  for (const auto& sight : ground_.sights) {
    // Who reads late hears of a gap when its incarnation may be another one already.
    if (!sight->view().is_ample || sight->view().name.ends_with("inbox")) continue;
    const unsigned viewer = ground_.record.life(sight->view().life).host;
    for (std::uint32_t topic = 0; topic < topics.size(); ++topic) {
      const std::uint64_t gaps = sight->gaps(sender.life(), topic);
      if (gaps == 0) continue;
      std::uint64_t dropped = 0;
      for (const SinkStats& sink : stats.sinks)
        if (sink.kind == "link" && sink.name == topics[topic] && sink.peer == host_name(viewer)) dropped += sink.dropped.total();
      ground_.law.check(Rule::gaps_are_counted, gaps <= dropped, [&] {
        return sight->view().name + " misses " + std::to_string(gaps) + " of " + std::string{topics[topic]} + " of life " +
               std::to_string(sender.life()) + ", which counts " + std::to_string(dropped) + " dropped";
      });
    }
  }
}

void World::check_rest() {
  for (Host* host : alive()) {
    check_books(*host, true);
    for (const auto& sight : ground_.sights) {
      const View& view = sight->view();
      if (sight->ended() || !view.is_ample || !view.is_plain || view.life == host->life()) continue;
      for (const Reader& reader : slots_[ground_.record.life(view.life).host].host->readers())
        for (std::uint32_t topic = 0; topic < topics.size(); ++topic)
          if (reader.sight == sight.get() && matches(reader.pattern, topics[topic])) sight->check_tail(host->life(), topic, reader.stats());
    }
  }
}

}  // namespace midplane::worlds
