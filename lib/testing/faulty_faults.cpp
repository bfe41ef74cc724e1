/// What goes wrong, and when: the part of the world that the test commands.
#include <algorithm>

#include "testing/faulty_world.hpp"

namespace midplane::inline v0::testing {

void FaultyWorld::faults(std::string from, std::string to, Faults faults) {
  const std::lock_guard lock{mutex_};
  if (from.empty()) default_faults_ = faults;
  else faults_[{std::move(from), std::move(to)}] = faults;
}

const Faults& FaultyWorld::faults_between(const Node& from, const Node& to) const {
  const auto found = faults_.find({from.name, to.name});
  return found == faults_.end() ? default_faults_ : found->second;
}

Duration FaultyWorld::draw_delay(const Faults& faults) {
  if (faults.delay_max <= faults.delay_min) return faults.delay_min;
  const auto span = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count()) + 1;
  return faults.delay_min + Duration{static_cast<std::int64_t>(random_->next() % span)};
}

bool FaultyWorld::draw(double chance) {
  // 53 bits are what a double holds.
  return chance > 0 && static_cast<double>(random_->next() >> 11) * 0x1p-53 < chance;
}

void FaultyWorld::cut(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  cuts_.insert({from, to});
}

void FaultyWorld::heal(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& entry : wires_) {
    const WirePtr& wire = entry.second;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      if (wire->nodes[side]->name != from || wire->nodes[1 - side]->name != to) continue;
      for (Bytes& bytes : std::exchange(wire->ways[side].held, {})) deliver(wire, side, std::move(bytes), true);
      // It ended while nobody could say so.
      if (wire->is_over[side] && !wire->is_deaf[1 - side]) end(wire, 1 - side);
    }
  }
}

void FaultyWorld::half_open(std::string_view told, std::string_view unaware) {
  const std::lock_guard lock{mutex_};
  for (const auto& entry : wires_) {
    const WirePtr& wire = entry.second;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      if (wire->nodes[side]->name != told || wire->nodes[1 - side]->name != unaware) continue;
      wire->is_deaf[side] = wire->is_deaf[1 - side] = true;
      end(wire, side);
    }
  }
}

void FaultyWorld::disconnect(std::string_view a, std::string_view b) {
  const std::lock_guard lock{mutex_};
  for (const auto& entry : wires_) {
    const WirePtr& wire = entry.second;
    const bool is_between = (wire->nodes[0]->name == a && wire->nodes[1]->name == b) ||
                            (wire->nodes[0]->name == b && wire->nodes[1]->name == a);
    if (!is_between) continue;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) end(wire, side);
  }
}

void FaultyWorld::crash(std::string_view name) {
  const std::lock_guard lock{mutex_};
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second->name == name; });
  for (const auto& entry : wires_) {
    const WirePtr& wire = entry.second;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      Node& node = *wire->nodes[side];
      if (node.name != name || node.is_stopped) continue;
      note(node, "crashes", wire->number);
      wire->is_over[side] = wire->is_told[side] = true;
      Node& peer = *wire->nodes[1 - side];
      if (wire->is_told[1 - side] || wire->is_deaf[1 - side] || peer.name == name || is_cut(node, peer)) continue;
      // What the dead had sent is lost with it: the news comes first.
      wire->is_over[1 - side] = wire->is_over[1 - side] || wire->is_up[1 - side];
      tell_down(wire, 1 - side, peer.clock->now(), Error{ErrorCode::peer_lost, "the other side has died"});
    }
  }
  for (Node* node : nodes_) {
    if (node->name != name) continue;
    node->is_stopped = true;
    node->arrivals = {};
  }
}

void FaultyWorld::note(const Node& node, std::string_view what, std::uint64_t wire, std::size_t bytes) {
  std::string line = std::to_string(node.clock->now().nanoseconds) + ' ' + node.name + ' ';
  line.append(what).append(" #").append(std::to_string(wire)).append(" ").append(std::to_string(bytes));
  for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  if (sink_) sink_(line);
}

std::uint64_t FaultyWorld::trace_hash() const {
  const std::lock_guard lock{mutex_};
  return hash_;
}

void FaultyWorld::on_trace(Function<void(std::string_view)> sink) {
  const std::lock_guard lock{mutex_};
  sink_ = std::move(sink);
}

}  // namespace midplane::inline v0::testing
