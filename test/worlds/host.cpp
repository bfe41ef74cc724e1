#include "worlds/host.hpp"

#include <algorithm>

#include <midplane/describe.hpp>

namespace midplane::worlds {

using namespace std::chrono_literals;

Ground::Ground(std::uint64_t seed, bool keeps_text, Rules without)
    : clock{testing::manual_clock()},
      loop{manual_executor(clock)},
      slow{manual_executor(clock)},
      dice{seed},
      trace{*clock, keeps_text},
      law{trace, without},
      record{trace, law, *clock},
      requests{record},
      links{record},
      network{dice.next()} {
  if (keeps_text) network.on_trace([this](std::string_view line) { trace.network(line); });
}

/// Tells the world what the bus says of its peers.
struct Host::Events final : EventSink {
  Events(Ground& its_ground, Host& of) : ground{its_ground}, owner{of}, host{of.number_}, life{of.life_} {}
  void event(const Event& event) noexcept override {
    if (ground.record.life(life).ended) return;
    ground.trace.note(host_name(host), "life", life, "event", name_of(event.kind), event.name, event.detail, event.first,
                      event.last);
    const unsigned peer = host_number(event.name);
    if (event.kind == EventKind::peer_up) ground.links.up(host, peer);
    if (event.kind == EventKind::peer_lost) ground.links.lost(host, peer);
    if (event.kind == EventKind::confirmed || event.kind == EventKind::gap) owner.note_speaker(event.detail);
    if (event.kind == EventKind::gap)
      ground.record.lost_on_the_way(life, host_number(event.detail), topic_number(event.name), event.first);
  }
  Ground& ground;
  Host& owner;
  const unsigned host, life;
};

Host::Host(Ground& ground, unsigned number, std::vector<std::string> dials)
    : ground_{ground}, number_{number}, life_{ground.record.new_life(number)} {
  ground_.trace.note(host_name(number_), "starts life", life_);
  BusOptions options;
  options.name = host_name(number_);
  options.executor = ground_.loop;
  options.clock = ground_.clock;
  options.random = seeded_random(ground_.dice.next());
  options.event = std::make_shared<Events>(ground_, *this);
  bus_.emplace(Bus::open(std::move(options)).value());
  ground_.record.named(life_, describe(*bus_).incarnation);
  // Some hosts are linked before they subscribe, some after.
  const bool early = ground_.dice.percent(50);
  auto transport = ground_.network.transport(host_name(number_), {.listen = {"sim://" + host_name(number_)}, .peers = std::move(dials)});
  if (early) bus_->attach(std::move(transport)).value();
  open_writers();
  open_readers();
  open_servers();
  if (!early) bus_->attach(std::move(transport)).value();
}

void Host::note_speaker(std::string_view peer) {
  std::vector<std::string> incarnations;
  for (const PeerDescription& one : describe(*bus_).peers) {
    const bool is_known = std::find(incarnations.begin(), incarnations.end(), one.incarnation) != incarnations.end();
    if (one.name == peer && one.state == "up" && !is_known) incarnations.push_back(one.incarnation);
  }
  ground_.record.speaks(life_, host_number(peer), incarnations);
}

Host::~Host() {
  if (bus_) end();
}

void Host::open_writers() {
  readers_.reserve(64);
  for (std::uint32_t topic = 0; topic < topics.size(); ++topic) {
    // Every topic has a publisher, and most have several.
    if (topic % 5 != number_ && !ground_.dice.percent(40)) continue;
    Writer writer;
    writer.number = ground_.record.new_publisher();
    writer.topic = topic;
    const PublisherOptions options{.retain = topic == state_topic};
    if (topic == 2 || topic == job_topic) {
      auto opened = std::make_shared<Publisher<Bytes>>(bus_->publisher(topic == 2 ? raw : job, options).value());
      writer.publish = [opened](auto bytes, const auto& how) { return opened->publish(bytes, how); };
    } else {
      const Topic<Tick>& contract = topic == 0 ? tick_a : topic == 1 ? tick_b : state;
      auto opened = std::make_shared<Publisher<Tick>>(bus_->publisher(contract, options).value());
      writer.publish = [opened](auto bytes, const auto& how) { return opened->publish(bytes, how); };
    }
    writers_.push_back(std::move(writer));
  }
}

std::optional<Stamp> Host::publish(Writer& writer) {
  const Instant now = ground_.clock->now();
  Stamp stamp;
  stamp.publisher = writer.number;
  stamp.counter = ++writer.counter;
  stamp.index = ground_.record.published(life_, writer.topic);
  stamp.at = now.nanoseconds;
  stamp.life = life_;
  stamp.topic = writer.topic;
  PublishOptions options;
  if (ground_.dice.percent(6)) {
    options.ttl = ground_.dice.ms(1, 80);
    stamp.until = (now + options.ttl).nanoseconds;
  }
  const auto bytes = write(stamp, ground_.dice.percent(4) ? ground_.dice.below(40'000) : ground_.dice.below(64));
  // A subscription that blocks lets handlers run inside the publish.
  ground_.record.took(stamp);
  const auto said = writer.publish(bytes, options);
  if (!said) ground_.record.took_back(stamp);
  ground_.trace.note(host_name(number_), "life", life_, "publishes", topics[writer.topic], "publisher", writer.number, "counter",
                     stamp.counter, said ? "sinks" : name_of(said.error().code()), said ? said->sinks : 0, "dropped",
                     said ? said->dropped : 0, "ttl us", options.ttl.count() / 1000);
  return said ? std::optional{stamp} : std::nullopt;
}

void Host::burst(unsigned messages) {
  for (Writer& writer : writers_) {
    if (writer.topic != 2 && writer.topic != 0) continue;
    for (unsigned i = 0; i < messages; ++i) publish(writer);
  }
}

void Host::act() {
  for (auto count = ground_.dice.below(4); count-- > 0 && !writers_.empty();)
    publish(writers_[ground_.dice.below(writers_.size())]);
  if (ground_.dice.percent(30)) request();
  if (ground_.dice.percent(4)) open_stream();
  if (ground_.dice.percent(3) && readers_.size() < 12) join_somehow();
  // The first subscription stays: it is the strictest observer.
  if (ground_.dice.percent(2) && readers_.size() > 4) {
    const auto leaver = readers_.begin() + 1 + static_cast<std::ptrdiff_t>(ground_.dice.below(readers_.size() - 1));
    ground_.trace.note(leaver->sight->view().name, "life", life_, "leaves");
    leaver->sight->check_counts(leaver->stats());
    leaver->sight->end();
    readers_.erase(leaver);
  }
}

void Host::end() {
  ground_.trace.note(host_name(number_), "ends life", life_);
  ground_.record.end_life(life_);
  ground_.requests.asker_ended(life_);
  ground_.links.forget(number_);
  for (Reader& reader : readers_) reader.sight->end();
  const bool handles_first = ground_.dice.percent(50);
  if (handles_first) {
    readers_.clear();
    writers_.clear();
    servers_.clear();
  }
  bus_.reset();
}

}  // namespace midplane::worlds
