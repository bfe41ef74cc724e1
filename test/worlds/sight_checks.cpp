/// What is asked of a subscription between the steps and at the end.
#include "worlds/sight.hpp"

namespace midplane::worlds {

void Sight::check_counts(const SinkStats& stats) const {
  const auto text = [&] {
    return view_.name + " of life " + std::to_string(view_.life) + " entered " + std::to_string(entered_) + ", threw " +
           std::to_string(failed_) + ", missed " + std::to_string(missing_) + "; its stats: delivered " +
           std::to_string(stats.delivered) + ", dropped " + std::to_string(stats.dropped.total());
  };
  const std::uint64_t failed = stats.dropped[DropReason::handler_failed];
  record_.law.check(Rule::counts_agree, stats.delivered == entered_ - failed_ && failed == failed_, text);
  record_.law.check(Rule::missing_is_reported, missing_ <= stats.dropped.total() - failed, text);
}

void Sight::check_tail(unsigned life, std::uint32_t topic) const {
  const std::uint64_t published = record_.published(life, topic);
  const unsigned host = record_.life(life).host;
  const auto found = series_.find({host, topic});
  const bool is_open = found != series_.end() && found->second.has_offset && found->second.life == life;
  if (is_open) {
    const Series& series = found->second;
    record_.law.check(Rule::tail_is_reported, series.last - series.offset + 1 == published, [&] {
      return view_.name + " of life " + std::to_string(view_.life) + " knows of " + std::string{topics[topic]} + " of life " +
             std::to_string(life) + " up to number " + std::to_string(series.last) + ", publish " +
             std::to_string(series.last - series.offset + 1) + " of " + std::to_string(published);
    });
    return;
  }
  const auto mark = marks_.find(host);
  const bool heard_gap = found != series_.end() && found->second.is_open;
  if (mark == marks_.end() || mark->second.life != life || heard_gap) return;
  record_.law.check(Rule::tail_is_reported, mark->second.published[topic] >= published, [&] {
    return view_.name + " of life " + std::to_string(view_.life) + " was confirmed and never heard of " +
           std::string{topics[topic]} + " of life " + std::to_string(life);
  });
}

std::uint64_t Sight::gaps(unsigned life, std::uint32_t topic) const {
  const auto found = gaps_.find({life, topic});
  return found == gaps_.end() ? 0 : found->second;
}

bool Sight::has_seen(const Stamp& stamp) const {
  const auto found = counters_.find(stamp.publisher);
  return found != counters_.end() && stamp.counter < found->second.size() && found->second[stamp.counter];
}

bool Sight::confirmed_by(unsigned host) const {
  const auto found = confirmed_.find(host);
  return found != confirmed_.end() && found->second == record_.life_of(host);
}

bool Sight::began_with(const Stamp& stamp) const {
  const auto found = firsts_.find({stamp.life, stamp.topic});
  return found != firsts_.end() && found->second.is_retained && found->second.publisher == stamp.publisher &&
         found->second.counter == stamp.counter;
}

}  // namespace midplane::worlds
