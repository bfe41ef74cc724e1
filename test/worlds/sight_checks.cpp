/// What is asked of a subscription between the steps and at the end.
#include "worlds/sight.hpp"

namespace midplane::worlds {

std::uint64_t Sight::own_drops(const SinkStats& stats) const {
  return stats.dropped.total() - stats.dropped[DropReason::handler_failed];
}

void Sight::check_counts(const SinkStats& stats) const {
  const auto text = [&] {
    return view_.name + " of life " + std::to_string(view_.life) + " entered " + std::to_string(entered_) + ", threw " +
           std::to_string(failed_) + ", missed " + std::to_string(missing_) + " and " + std::to_string(missing_at_start_) +
           " at the start; its stats: delivered " + std::to_string(stats.delivered) + ", dropped " +
           std::to_string(stats.dropped.total());
  };
  const bool failures_agree = stats.dropped[DropReason::handler_failed] == failed_;
  record_.law.check(Rule::counts_agree, stats.delivered == entered_ - failed_ && failures_agree, text);
  record_.law.check(Rule::bound_is_kept, stats.waiting <= view_.bound,
                    [&] { return text() + ", waiting " + std::to_string(stats.waiting) + " of " + std::to_string(view_.bound); });
  record_.law.check(Rule::missing_is_reported, missing_ <= own_drops(stats), text);
  record_.law.check(Rule::confirmed_misses_nothing, missing_at_start_ <= own_drops(stats), text);
}

void Sight::check_tail(unsigned life, std::uint32_t topic, const SinkStats& stats) const {
  const std::uint64_t published = record_.published(life, topic);
  const unsigned host = record_.life(life).host;
  const auto found = series_.find({host, topic});
  const auto mark = marks_.find(host);
  std::uint64_t known = published;
  if (found != series_.end() && found->second.has_offset && found->second.life == life)
    known = found->second.last - found->second.offset + 1;
  else if ((found == series_.end() || !found->second.is_open) && mark != marks_.end() && mark->second.life == life)
    known = mark->second.published[topic];
  record_.law.check(Rule::tail_is_reported, known <= published && published - known <= own_drops(stats), [&] {
    return view_.name + " of life " + std::to_string(view_.life) + " knows of " + std::to_string(known) + " publishes on " +
           std::string{topics[topic]} + " of life " + std::to_string(life) + ", not of " + std::to_string(published);
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
