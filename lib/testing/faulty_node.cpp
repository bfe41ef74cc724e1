/// How a node's arrivals happen on its executor, one at a time, and how that ends.
#include <utility>

#include "testing/faulty_world.hpp"

namespace midplane::inline v0::testing {

void FaultyWorld::schedule(Node& node, Instant due, Function<void()> happen, bool is_frame) {
  if (node.is_stopped) return;
  node.arrivals.push({due, next_order_++, std::make_shared<Function<void()>>(std::move(happen)), is_frame});
  arm(node);
}

void FaultyWorld::arm(Node& node) {
  // A running `fire` arms again when it is done.
  if (node.runner != std::thread::id{} || node.arrivals.empty()) return;
  const Instant first = node.arrivals.top().due;
  if (node.is_armed && node.due <= first) return;
  // Not cancelled means that it fires right now, looks at everything and arms again.
  if (node.is_armed && !node.executor->cancel(node)) return;
  node.is_armed = true;
  node.due = first;
  node.executor->start(node);
}

void FaultyWorld::fire(Node& node) {
  const auto world = shared_from_this();
  std::unique_lock lock{mutex_};
  node.is_armed = false;
  node.runner = std::this_thread::get_id();
  while (!node.is_stopped && !node.arrivals.empty() && node.arrivals.top().due <= node.clock->now()) {
    if (!node.arrivals.top().is_frame && node.held) {
      give_held(node, std::nullopt, lock);
      continue;
    }
    const auto happen = node.arrivals.top().happen;
    node.arrivals.pop();
    lock.unlock();
    (*happen)();
    lock.lock();
    if (node.arrivals.empty() || node.arrivals.top().due > node.clock->now()) give_held(node, std::nullopt, lock);
  }
  node.runner = {};
  if (!node.is_stopped) arm(node);
  fired_.notify_all();
}

void FaultyWorld::stop(const std::shared_ptr<Node>& node) {
  std::unique_lock lock{mutex_};
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second == node; });
  if (!node->is_stopped && node->is_started) {
    for (const auto& entry : wires_) {
      const WirePtr& wire = entry.second;
      for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
        if (wire->nodes[side] != node) continue;
        wire->is_over[side] = wire->is_told[side] = true;
        if (!wire->is_deaf[1 - side] && !is_cut(*node, *wire->nodes[1 - side])) end(wire, 1 - side);
      }
    }
    note(*node, "stops", 0);
  }
  node->is_stopped = true;
  // What waits refers to wires, and those to nodes.
  std::priority_queue<Node::Arrival> dropped;
  dropped.swap(node->arrivals);
  const auto held = std::exchange(node->held, std::nullopt);
  if (node->is_armed && node->executor->cancel(*node)) node->is_armed = false;
  fired_.wait(lock, [&] {
    return !node->is_armed && (node->runner == std::thread::id{} || node->runner == std::this_thread::get_id());
  });
  std::erase_if(wires_, [](const auto& entry) { return entry.second->is_told[0] && entry.second->is_told[1]; });
  nodes_.erase(node.get());
}

}  // namespace midplane::inline v0::testing
