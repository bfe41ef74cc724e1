#include "testing/faulty_world.hpp"

#include <algorithm>

namespace midplane::inline v0::testing {
namespace {

Error lost() { return Error{ErrorCode::peer_lost, "the other side has closed the connection"}; }
Error closed() { return Error{ErrorCode::closed, "this side has closed the connection"}; }

}  // namespace

void Node::fire() noexcept { world.fire(*this); }

void FaultyWorld::start(const std::shared_ptr<Node>& node, const TransportContext& context) {
  const std::lock_guard lock{mutex_};
  node->inbound = &context.inbound;
  node->clock = &context.clock;
  node->executor = &context.executor;
  node->is_started = true;
  nodes_.insert(node.get());
}

Result<std::string> FaultyWorld::listen(const std::shared_ptr<Node>& node, std::string_view endpoint) {
  const std::lock_guard lock{mutex_};
  if (!node->is_started || node->is_stopped) return closed();
  const auto [place, is_new] = listeners_.try_emplace(std::string{endpoint}, node);
  if (!is_new) return Error{ErrorCode::transport_failed, "somebody listens here already"}.with(endpoint);
  note(*node, "listens", 0);
  return std::string{endpoint};
}

Result<void> FaultyWorld::dial(const std::shared_ptr<Node>& node, std::string_view endpoint) {
  const std::lock_guard lock{mutex_};
  if (!node->is_started || node->is_stopped) return closed();
  note(*node, "dials", 0);
  const auto listener = listeners_.find(std::string{endpoint});
  const Duration delay = listener == listeners_.end() ? Duration{} : draw_delay(faults_between(*node, *listener->second));
  schedule(*node, node->clock->now() + delay, [this, node, text = std::string{endpoint}] {
    std::unique_lock inner{mutex_};
    const auto found = listeners_.find(text);
    const bool answers = found != listeners_.end() && !is_cut(*node, *found->second) && !is_cut(*found->second, *node);
    if (answers) {
      connect(node, text);
      return;
    }
    note(*node, "dial failed", 0);
    inner.unlock();
    node->inbound->dial_failed(text, Error{ErrorCode::transport_failed, "nobody answers there"});
  });
  return ok();
}

void FaultyWorld::connect(const std::shared_ptr<Node>& from, const std::string& endpoint) {
  const std::shared_ptr<Node> to = listeners_.at(endpoint);
  auto wire = std::make_shared<Wire>();
  wire->number = next_wire_++;
  wire->nodes[0] = from;
  wire->nodes[1] = to;
  wires_.emplace(wire->number, wire);
  const Instant now = from->clock->now();
  const Instant heard = now + draw_delay(faults_between(*from, *to));
  // Nothing overtakes the news that there is a connection.
  wire->ways[0].last_due = heard;
  wire->ways[1].last_due = now;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}})
    schedule(*wire->nodes[side], side == 0 ? now : heard, [this, wire, side, endpoint] {
      Node& node = *wire->nodes[side];
      {
        const std::lock_guard lock{mutex_};
        if (wire->is_over[side] || wire->is_told[side]) {
          // It ended before it was known here: nobody hears of it.
          wire->is_told[side] = true;
          return;
        }
        wire->is_up[side] = true;
        note(node, "up", wire->number);
      }
      node.inbound->up(wire->id(side), side == 0, endpoint);
    });
}

Sent FaultyWorld::send(ConnectionId id, std::span<const std::byte> frame) {
  const std::lock_guard lock{mutex_};
  const WirePtr wire = find(id);
  const std::size_t from = static_cast<std::uint64_t>(id) % 2;
  if (!wire || !wire->is_up[from] || wire->is_over[from]) return Sent::gone;
  Node& sender = *wire->nodes[from];
  Node& receiver = *wire->nodes[1 - from];
  const Faults& faults = faults_between(sender, receiver);
  Wire::Way& way = wire->ways[from];
  if (way.bytes_in_flight != 0 && way.bytes_in_flight + frame.size() > faults.bytes_in_flight_max) {
    way.has_waiter = true;
    note(sender, "full", wire->number, frame.size());
    return Sent::full;
  }
  note(sender, "sends", wire->number, frame.size());
  if (draw(faults.disconnect)) {
    note(sender, "breaks", wire->number);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) end(wire, side);
    return Sent::taken;
  }
  way.bytes_in_flight += frame.size();
  auto bytes = std::make_shared<std::vector<std::byte>>(frame.begin(), frame.end());
  if (draw(faults.corrupt) && !bytes->empty())
    (*bytes)[random_->next() % bytes->size()] ^= static_cast<std::byte>(1U << (random_->next() % 8));
  if (draw(faults.lose)) return make_room(wire, from, frame.size()), Sent::taken;
  // A half-open connection swallows until it is full, as a kernel does for a host that has gone.
  if (wire->is_deaf[1 - from]) return Sent::taken;
  if (is_cut(sender, receiver)) {
    way.held.push_back(std::move(bytes));
    return Sent::taken;
  }
  if (draw(faults.duplicate)) {
    way.bytes_in_flight += frame.size();
    deliver(wire, from, bytes, true);
  }
  deliver(wire, from, std::move(bytes), !draw(faults.reorder));
  return Sent::taken;
}

void FaultyWorld::deliver(const WirePtr& wire, std::size_t from, Bytes bytes, bool keeps_order) {
  Node& receiver = *wire->nodes[1 - from];
  Wire::Way& way = wire->ways[from];
  Instant due = receiver.clock->now() + draw_delay(faults_between(*wire->nodes[from], receiver));
  if (keeps_order) due = way.last_due = std::max(due, way.last_due);
  schedule(receiver, due, [this, wire, from, bytes = std::move(bytes)] {
    std::unique_lock lock{mutex_};
    // On its way when the cut came: it waits like those sent after it.
    if (is_cut(*wire->nodes[from], *wire->nodes[1 - from])) return wire->ways[from].held.push_back(bytes);
    arrive(wire, from, bytes, lock);
  }, true);
}

void FaultyWorld::arrive(const WirePtr& wire, std::size_t from, const Bytes& bytes, std::unique_lock<std::mutex>& lock) {
  const std::size_t to = 1 - from;
  make_room(wire, from, bytes->size());
  if (!wire->is_up[to] || wire->is_told[to]) return;
  note(*wire->nodes[to], "frame", wire->number, bytes->size());
  give_held(*wire->nodes[to], Node::Held{wire, to, bytes}, lock);
}

/// Gives what is held, and holds `next` instead.
void FaultyWorld::give_held(Node& node, std::optional<Node::Held> next, std::unique_lock<std::mutex>& lock) {
  const auto held = std::exchange(node.held, std::move(next));
  if (!held || node.is_stopped) return;
  const bool more = node.held && node.held->wire == held->wire && node.held->side == held->side;
  lock.unlock();
  node.inbound->frame(held->wire->id(held->side), {*held->bytes, [owner = held->bytes]() mutable { owner.reset(); }, more});
  lock.lock();
}

void FaultyWorld::make_room(const WirePtr& wire, std::size_t from, std::size_t bytes) {
  Wire::Way& way = wire->ways[from];
  way.bytes_in_flight -= bytes;
  Node& sender = *wire->nodes[from];
  if (!way.has_waiter || way.bytes_in_flight > faults_between(sender, *wire->nodes[1 - from]).bytes_in_flight_max / 2) return;
  way.has_waiter = false;
  schedule(sender, sender.clock->now(), [this, wire, from] {
    {
      const std::lock_guard lock{mutex_};
      if (wire->is_told[from] || wire->is_over[from]) return;
      note(*wire->nodes[from], "writable", wire->number);
    }
    wire->nodes[from]->inbound->writable(wire->id(from));
  });
}

void FaultyWorld::tell_down(const WirePtr& wire, std::size_t side, Instant due, const Error& why) {
  schedule(*wire->nodes[side], due, [this, wire, side, why] {
    {
      const std::lock_guard lock{mutex_};
      wire->is_over[side] = true;
      if (std::exchange(wire->is_told[side], true)) return;
      if (wire->is_told[1 - side]) wires_.erase(wire->number);
      if (!wire->is_up[side]) return;
      note(*wire->nodes[side], "down", wire->number);
    }
    wire->nodes[side]->inbound->down(wire->id(side), why);
  });
}

/// The connection breaks as seen from `side`, after what is on its way there.
void FaultyWorld::end(const WirePtr& wire, std::size_t side) {
  Node& node = *wire->nodes[side];
  if (node.is_stopped || wire->is_told[side]) return;
  wire->is_over[side] = wire->is_over[side] || wire->is_up[side];
  tell_down(wire, side, std::max(node.clock->now(), wire->ways[1 - side].last_due), lost());
}

void FaultyWorld::disconnect(ConnectionId id) {
  const std::lock_guard lock{mutex_};
  const WirePtr wire = find(id);
  const std::size_t side = static_cast<std::uint64_t>(id) % 2;
  if (!wire || wire->is_over[side]) return;
  wire->is_over[side] = true;
  note(*wire->nodes[side], "disconnects", wire->number);
  tell_down(wire, side, wire->nodes[side]->clock->now(), closed());
  if (!wire->is_deaf[1 - side] && !is_cut(*wire->nodes[side], *wire->nodes[1 - side])) end(wire, 1 - side);
}

bool FaultyWorld::flushed(const Node& node) const {
  const std::lock_guard lock{mutex_};
  return std::all_of(wires_.begin(), wires_.end(), [&](const auto& entry) {
    const Wire& wire = *entry.second;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}})
      if (wire.nodes[side].get() == &node && !wire.is_over[side] && wire.ways[side].bytes_in_flight != 0) return false;
    return true;
  });
}

FaultyWorld::WirePtr FaultyWorld::find(ConnectionId id) const {
  const auto found = wires_.find(static_cast<std::uint64_t>(id) / 2);
  return found == wires_.end() ? nullptr : found->second;
}

}  // namespace midplane::inline v0::testing
