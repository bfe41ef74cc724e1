#include "zmq/hub.hpp"

#include "zmq/channel.hpp"

namespace midplane::inline v0::zmq {

std::shared_ptr<Connection> Hub::find(ConnectionId id) const noexcept {
  const std::shared_lock lock{mutex_};
  const auto found = connections_.find(static_cast<std::uint64_t>(id));
  return found == connections_.end() ? nullptr : found->second;
}

std::shared_ptr<Connection> Hub::connect(std::shared_ptr<Channel> channel, std::string routing_id) {
  auto connection = std::make_shared<Connection>();
  connection->id = static_cast<ConnectionId>(next_number());
  connection->channel = std::move(channel);
  connection->routing_id = std::move(routing_id);
  connection->flight = std::make_shared<Flight>(send_frames, in_flight);
  const std::unique_lock lock{mutex_};
  connections_.emplace(static_cast<std::uint64_t>(connection->id), connection);
  return connection;
}

void Hub::forget(ConnectionId id) noexcept {
  const std::unique_lock lock{mutex_};
  connections_.erase(static_cast<std::uint64_t>(id));
}

Result<void> Hub::add(const std::shared_ptr<Channel>& channel) {
  {
    const std::unique_lock lock{mutex_};
    channels_.emplace(channel->key(), channel);
  }
  auto watched = channel->watch();
  if (!watched) remove(*channel);
  // Something may have happened before the descriptors were watched.
  else want_turn(*channel);
  return watched;
}

void Hub::remove(Channel& channel) noexcept {
  const std::unique_lock lock{mutex_};
  channels_.erase(channel.key());
}

std::shared_ptr<Channel> Hub::channel(std::uint64_t key) const noexcept {
  const std::shared_lock lock{mutex_};
  const auto found = channels_.find(key);
  return found == channels_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Channel>> Hub::channels() const {
  const std::shared_lock lock{mutex_};
  std::vector<std::shared_ptr<Channel>> all;
  all.reserve(channels_.size());
  for (const auto& entry : channels_) all.push_back(entry.second);
  return all;
}

std::unordered_map<std::uint64_t, std::shared_ptr<Channel>> Hub::take_all() noexcept {
  std::unordered_map<std::uint64_t, std::shared_ptr<Channel>> all;
  {
    const std::unique_lock lock{mutex_};
    connections_.clear();
    all.swap(channels_);
  }
  const std::lock_guard lock{wishes_mutex_};
  // One by one: a chain that ends itself recursively needs a stack as long as the chain.
  while (wanting_) wanting_ = std::move(wanting_->next_wanting);
  while (blocked_) blocked_ = std::move(blocked_->next_blocked);
  return all;
}

void Hub::want_turn(Channel& channel) noexcept {
  if (channel.wants_turn.exchange(true, std::memory_order_acq_rel)) return;
  {
    const std::lock_guard lock{wishes_mutex_};
    channel.next_wanting = std::move(wanting_);
    wanting_ = channel.shared_from_this();
  }
  pump.wake();
}

std::shared_ptr<Channel> Hub::take_wanting() noexcept {
  const std::lock_guard lock{wishes_mutex_};
  return std::move(wanting_);
}

void Hub::want_writable(std::shared_ptr<Connection> connection) noexcept {
  Flight& flight = *connection->flight;
  if (!flight.start_waiting()) return;
  {
    const std::lock_guard lock{wishes_mutex_};
    connection->next_blocked = std::move(blocked_);
    blocked_ = std::move(connection);
  }
  // The frame that made room may have left before anybody was waiting.
  if (flight.is_low()) pump.wake();
}

void Hub::tell_writable() noexcept {
  std::shared_ptr<Connection> waiting;
  {
    const std::lock_guard lock{wishes_mutex_};
    waiting = std::move(blocked_);
  }
  while (waiting) {
    const std::shared_ptr<Connection> connection = std::move(waiting);
    waiting = std::move(connection->next_blocked);
    if (connection->is_down) continue;
    if (!connection->flight->is_low()) {
      const std::lock_guard lock{wishes_mutex_};
      connection->next_blocked = std::move(blocked_);
      blocked_ = connection;
      continue;
    }
    connection->flight->stop_waiting();
    if (connection->is_open.load(std::memory_order_acquire)) inbound->writable(connection->id);
  }
}

}  // namespace midplane::inline v0::zmq
