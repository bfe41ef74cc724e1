// midplane-gen writes two functions for a topic with holes: one makes a topic, its twin the pattern of all.
// expect-error: this function makes one topic: call it, .name_of_topic.token., or take all with its twin, .name_of_topic_pattern

#include "twin.hpp"

midplane::Result<midplane::Topic<twin::Tick>> reading(std::string_view token);
midplane::Result<midplane::Pattern<twin::Tick>> reading_pattern();

void caller(midplane::Bus& bus) {
#ifdef GOOD
  const auto all = reading_pattern();
  if (!all) return;
  auto subscription = bus.subscribe(*all, [](const midplane::Message<twin::Tick>&) {});
  static_cast<void>(subscription.has_value());
#else
  bus.subscribe(reading, [](const midplane::Message<twin::Tick>&) {});
#endif
}
