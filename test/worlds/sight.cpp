#include "worlds/sight.hpp"

namespace midplane::worlds {

std::string Sight::who(const Stamp& stamp) const {
  return view_.name + " of life " + std::to_string(view_.life) + ": " + std::string{topics[stamp.topic]} + " of life " +
         std::to_string(stamp.life) + " publisher " + std::to_string(stamp.publisher) + " counter " +
         std::to_string(stamp.counter);
}

void Sight::message(const AnyMessage& message) {
  const auto stamp = read(message.bytes());
  const unsigned own = record_.life(view_.life).host;
  const bool is_near = message.peer().empty();
  const unsigned host = is_near ? own : host_number(message.peer());
  const bool is_known = stamp && record_.knows(*stamp) && topics[stamp->topic] == message.topic() &&
                        record_.life(stamp->life).host == host;
  record_.law.check(Rule::content, is_known, [&] {
    return view_.name + " got what nobody published on " + std::string{message.topic()} + " at '" +
           std::string{message.peer()} + "'";
  });
  if (!is_known) return;
  record_.trace.note(view_.name, "life", view_.life, "gets", message.topic(), "of life", stamp->life, "publisher",
                     stamp->publisher, "counter", stamp->counter, "number", message.sequence(),
                     message.retained() ? "retained" : "");
  record_.law.check(Rule::nothing_after_the_end, !ended_, [&] { return who(*stamp) + " after the end"; });
  record_.law.check(Rule::expired_is_not_run, !is_near || stamp->until == 0 || record_.clock.now().nanoseconds <= stamp->until,
                    [&] { return who(*stamp) + " had expired"; });
  ++entered_;
  entered(*stamp, message.retained());
  if (!is_near) check_not_lost(*stamp, host);
  if (!is_near && !message.retained()) numbered(*stamp, host, message.sequence());
  if (stamp->topic == job_topic && !view_.is_plain) {
    const unsigned members = record_.job_seen(*stamp);
    record_.law.check(Rule::one_member, members == 1, [&] { return who(*stamp) + " was for another member"; });
  }
}

void Sight::entered(const Stamp& stamp, bool is_retained) {
  auto& seen = counters_[stamp.publisher];
  if (stamp.counter < seen.size()) {
    const bool twice = seen[stamp.counter];
    record_.law.check(is_retained ? Rule::retained_none_twice : Rule::at_most_once, !twice,
                      [&] { return who(stamp) + " came twice"; });
    record_.law.check(Rule::fifo, twice, [&] { return who(stamp) + " came behind " + std::to_string(seen.size() - 1); });
  }
  if (seen.size() <= stamp.counter) seen.resize(stamp.counter + 1);
  seen[stamp.counter] = true;
  const auto [first, is_first] = firsts_.try_emplace({stamp.life, stamp.topic}, First{stamp.publisher, stamp.counter, is_retained});
  record_.law.check(Rule::retained_to_joiners_only, is_first || !is_retained,
                    [&] { return who(stamp) + " is marked retained, but is not the first"; });
}

void Sight::event(const SubscriptionEvent& event) {
  record_.trace.note(view_.name, "life", view_.life, "hears", name_of(event.kind), event.topic, "of", event.peer, event.first,
                     event.last);
  record_.law.check(Rule::nothing_after_the_end, !ended_,
                    [&] { return view_.name + " hears " + std::string{name_of(event.kind)} + " after its end"; });
  const unsigned host = host_number(event.peer);
  const auto life = record_.speaker(view_.life, host);
  switch (event.kind) {
    case EventKind::confirmed: {
      confirmed_[host] = life.value_or(record_.life_of(host));
      // The last words of a life that has ended may come when the next one has begun already.
      if (!life) {
        marks_.erase(host);
        break;
      }
      Mark mark{*life, {}};
      for (std::uint32_t topic = 0; topic < topics.size(); ++topic) mark.published[topic] = record_.published(mark.life, topic);
      const auto known = marks_.find(host);
      if (known == marks_.end() || known->second.life != mark.life) marks_[host] = mark;
      break;
    }
    case EventKind::incarnation_changed: forget(host, event.topic, true); break;
    case EventKind::gap:
      if (event.first != 0) return gap(event, host);
      forget(host, event.topic, false);
      marks_.erase(host);
      break;
    default: break;
  }
}

void Sight::forget(unsigned host, std::string_view topic, bool is_restart) {
  // Who was forgotten and came back joins anew; what it saw may all have been retained.
  for (std::uint32_t one = 0; one < topics.size() && !is_restart; ++one)
    if (topic.empty() || topics[one] == topic) firsts_.erase({record_.life_of(host), one});
  for (auto& [key, series] : series_) {
    if (key.first != host || (!topic.empty() && topics[key.second] != topic)) continue;
    if (is_restart && series.has_life)
      record_.law.check(Rule::restart_is_told, record_.life_of(host) != series.life, [&, life = series.life] {
        return view_.name + " hears of a restart of " + host_name(host) + ", which still lives its life " +
               std::to_string(life);
      });
    series.is_open = series.has_offset = false;
    series.gaps.clear();
    series.told_of_restart = series.told_of_restart || is_restart;
  }
}

void Sight::gap(const SubscriptionEvent& event, unsigned host) {
  const auto topic = static_cast<std::uint32_t>(topic_number(event.topic));
  Series& series = series_[{host, topic}];
  const auto text = [&] {
    return view_.name + " hears of the gap " + std::to_string(event.first) + " to " + std::to_string(event.last) + " of " +
           event.topic + " at " + event.peer + " with " + std::to_string(series.last) + " seen before";
  };
  const bool is_behind = event.first <= event.last && (!series.is_open || event.first > series.last);
  record_.law.check(Rule::gap_is_in_order, is_behind, text);
  if (!series.is_open) {
    series.is_open = true;
    series.has_life = series.has_offset = false;
    series.first = event.first;
    series.last = 0;
  } else if (view_.is_plain && event.first > series.last + 1) {
    missing_ += event.first - series.last - 1;
  }
  series.gaps.emplace_back(event.first, event.last);
  series.gap_first = event.first;
  series.gap_last = event.last;
  series.last = std::max(series.last, event.last);
  // What came before the subscription had joined over this connection was taken out of the link, though nobody got it.
  const auto life = record_.speaker(view_.life, host);
  if (life && record_.was_lost_on_the_way(view_.life, host, topic, event.first))
    gaps_[{*life, topic}] += event.last - event.first + 1;
}

/// By its place among the publishes, as a retained message has no number of its own.
void Sight::check_not_lost(const Stamp& stamp, unsigned host) const {
  const auto found = series_.find({host, stamp.topic});
  if (found == series_.end() || !found->second.has_offset || found->second.life != stamp.life) return;
  const std::uint64_t number = stamp.index + found->second.offset;
  for (const auto& [first, last] : found->second.gaps)
    record_.law.check(Rule::lost_is_not_delivered, number < first || number > last, [&, first = first, last = last] {
      return who(stamp) + " was in the gap " + std::to_string(first) + " to " + std::to_string(last);
    });
}

void Sight::numbered(const Stamp& stamp, unsigned host, std::uint64_t number) {
  Series& series = series_[{host, stamp.topic}];
  if (series.has_life && series.life != stamp.life) {
    record_.law.check(Rule::restart_is_told, series.told_of_restart,
                      [&] { return who(stamp) + ": nobody told of the restart after life " + std::to_string(series.life); });
    record_.law.check(Rule::restart_is_told, series.life < stamp.life,
                      [&] { return who(stamp) + " comes behind a message of the later life " + std::to_string(series.life); });
    if (series.is_open && !series.told_of_restart) series.is_open = series.has_offset = false;
  }
  // A link may bring the last words of a life behind the news that it has ended: they go on where it was.
  const bool goes_on = series.has_life && series.life == stamp.life && series.told_of_restart;
  if (!series.is_open) {
    if (goes_on && view_.is_plain && number > series.last + 1) missing_ += number - series.last - 1;
    series.first = number;
  } else {
    check_number(series, stamp, number);
    if (view_.is_plain && number > series.last + 1) missing_ += number - series.last - 1;
  }
  const bool is_start = !series.has_offset && !goes_on;
  series.is_open = series.has_life = series.has_offset = true;
  series.told_of_restart = false;
  series.life = stamp.life;
  series.last = std::max(series.last, number);
  if (series.first == number) series.last = number;
  series.offset = number - stamp.index;
  if (is_start) check_start(series, host, stamp.topic);
}

void Sight::check_number(const Series& series, const Stamp& stamp, std::uint64_t number) {
  const auto text = [&] {
    return who(stamp) + " has number " + std::to_string(number) + ", last " + std::to_string(series.last) + ", gap " +
           std::to_string(series.gap_first) + " to " + std::to_string(series.gap_last);
  };
  const bool in_gap = number >= series.gap_first && number <= series.gap_last;
  record_.law.check(in_gap ? Rule::gap_is_in_order : Rule::numbers_increase, number > series.last, text);
  if (!view_.is_plain) return;
  record_.law.check(Rule::every_publish_has_a_number, !series.has_offset || number - stamp.index == series.offset, [&] {
    return text() + ", index " + std::to_string(stamp.index) + ", offset " + std::to_string(number - stamp.index) +
           " instead of " + std::to_string(series.offset);
  });
}

/// From its confirmation on it misses nothing silently.
void Sight::check_start(const Series& series, unsigned host, std::uint32_t topic) {
  const auto mark = marks_.find(host);
  if (!view_.is_ample || !view_.is_plain || mark == marks_.end() || mark->second.life != series.life) return;
  const auto behind = static_cast<std::int64_t>(series.first - series.offset - mark->second.published[topic]);
  if (behind > 0) missing_at_start_ += static_cast<std::uint64_t>(behind);
}

}  // namespace midplane::worlds
