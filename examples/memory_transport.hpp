#pragma once
/// A transport of one's own, whole: buses of one process meet at addresses in a shared table. The frames are copied into
/// the queue of the other end and told there by a work of that side's executor: never inside `send`, and in order.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <midplane/extend/transport.hpp>

namespace memory {

using midplane::ConnectionId;
using midplane::Error;
using midplane::ErrorCode;
using midplane::Inbound;
using midplane::Result;
using midplane::Sent;

struct Side;

/// The medium: who listens where. Its lock guards everything here; nothing is told to a bus while it is held.
struct Medium {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Side>, std::less<>> listeners;
};

/// One end of a connection: what is to be told there. A work of the executor from the first item until all are told.
struct End final : midplane::Work, std::enable_shared_from_this<End> {
  using Telling = midplane::Function<void(Inbound&)>;
  End(std::shared_ptr<Side> its_side, ConnectionId its_id) : side{std::move(its_side)}, id{its_id} {}
  void tell(Telling what);
  void run() noexcept override;
  void dropped() noexcept override { keep.reset(); }

  const std::shared_ptr<Side> side;
  const ConnectionId id;
  std::weak_ptr<End> other;
  std::deque<Telling> waiting;
  std::size_t bytes = 0;      ///< of the frames that wait
  bool told_full = false;     ///< the other end was told `full`: it is owed a `writable`
  bool over = false;
  std::shared_ptr<End> keep;  ///< itself while it is submitted
};

/// One transport as the others see it; outlives it.
struct Side {
  std::shared_ptr<Medium> medium;
  std::mutex telling;          ///< held around calls into `inbound`; taken before the medium's
  Inbound* inbound = nullptr;  ///< null: not started, or stopped
  midplane::Executor* executor = nullptr;
  std::map<ConnectionId, std::shared_ptr<End>> ends;
  std::uint64_t last_id = 0;
};

inline std::shared_ptr<End> open_end(const std::shared_ptr<Side>& side) {
  const ConnectionId id{++side->last_id};
  return side->ends[id] = std::make_shared<End>(side, id);
}

inline void End::tell(Telling what) {
  waiting.push_back(std::move(what));
  if (keep) return;
  keep = shared_from_this();
  side->executor->submit(*this);
}

inline void End::run() noexcept {
  // Who comes next on another thread waits here until this batch is told: order, and one call at a time.
  const std::lock_guard telling{side->telling};
  std::shared_ptr<End> self;
  std::deque<Telling> batch;
  {
    const std::lock_guard lock{side->medium->mutex};
    self = std::move(keep);
    batch.swap(waiting);
    bytes = 0;
    if (const auto sender = other.lock(); sender && std::exchange(told_full, false) && !sender->over)
      sender->tell([to = sender->id](Inbound& inbound) { inbound.writable(to); });
  }
  if (!side->inbound) return;
  for (Telling& item : batch) item(*side->inbound);
}

inline void end_both(End& end, const Error& here, const Error& there) {
  for (End* one : {&end, end.other.lock().get()}) {
    if (!one || std::exchange(one->over, true)) continue;
    one->tell([one, why = one == &end ? here : there](Inbound& inbound) {
      inbound.down(one->id, why);
      const std::lock_guard lock{one->side->medium->mutex};
      one->side->ends.erase(one->id);
    });
  }
}

class Transport final : public midplane::Transport {
 public:
  Transport(std::shared_ptr<Medium> medium, std::vector<std::string> listen, std::vector<std::string> peers)
      : medium_{std::move(medium)}, listen_{std::move(listen)}, peers_{std::move(peers)} {
    side_->medium = medium_;
  }
  ~Transport() override { Transport::stop(); }

  Result<void> start(midplane::TransportContext context) override {
    if (context.executor.is_inline())
      return Error{ErrorCode::unsupported, "an inline executor would call back inside send; use a pool or a manual one"};
    side_->inbound = &context.inbound;
    side_->executor = &context.executor;
    return midplane::ok();
  }
  [[nodiscard]] std::span<const std::string> listen_endpoints() const noexcept override { return listen_; }
  [[nodiscard]] std::span<const std::string> dial_endpoints() const noexcept override { return peers_; }

  Result<std::string> listen(std::string_view endpoint) override {
    const std::lock_guard lock{medium_->mutex};
    if (!medium_->listeners.emplace(endpoint, side_).second)
      return Error{ErrorCode::transport_failed, "somebody listens at this address already"}.with(endpoint);
    return std::string{endpoint};
  }
  Result<void> dial(std::string_view endpoint) override {
    const std::lock_guard lock{medium_->mutex};
    const std::string where{endpoint};
    const auto here = open_end(side_);
    const auto found = medium_->listeners.find(endpoint);
    if (found == medium_->listeners.end()) {
      here->tell([where](Inbound& inbound) {
        inbound.dial_failed(where, {ErrorCode::transport_failed, "nobody listens at this address"});
      });
      side_->ends.erase(here->id);
      return midplane::ok();
    }
    const auto there = open_end(found->second);
    here->other = there;
    there->other = here;
    here->tell([id = here->id, where](Inbound& inbound) { inbound.up(id, true, where); });
    there->tell([id = there->id, where](Inbound& inbound) { inbound.up(id, false, where); });
    return midplane::ok();
  }

  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override {
    const std::lock_guard lock{medium_->mutex};
    const auto found = side_->ends.find(id);
    const auto there = found == side_->ends.end() || found->second->over ? nullptr : found->second->other.lock();
    if (!there) return Sent::gone;
    if (there->bytes > 0 && there->bytes + frame.size() > bytes_max) return there->told_full = true, Sent::full;
    auto copy = std::make_shared<const std::vector<std::byte>>(frame.begin(), frame.end());
    there->bytes += frame.size();
    there->tell([to = there->id, copy = std::move(copy)](Inbound& inbound) { inbound.frame(to, {*copy, [copy] {}}); });
    return Sent::taken;
  }
  void disconnect(ConnectionId id) noexcept override {
    const std::lock_guard lock{medium_->mutex};
    if (const auto found = side_->ends.find(id); found != side_->ends.end())
      end_both(*found->second, {ErrorCode::closed, "this side has closed the connection"}, lost());
  }
  [[nodiscard]] bool flushed() const noexcept override {
    const std::lock_guard lock{medium_->mutex};
    for (const auto& [id, end] : side_->ends)
      if (const auto there = end->other.lock(); there && there->bytes > 0) return false;
    return true;
  }
  void stop() noexcept override {
    const std::lock_guard telling{side_->telling};  // a call into the bus ends first
    const std::lock_guard lock{medium_->mutex};
    std::erase_if(medium_->listeners, [this](const auto& entry) { return entry.second == side_; });
    for (const auto& [id, end] : side_->ends) {
      end->over = true;
      if (const auto there = end->other.lock()) end_both(*there, lost(), lost());
    }
    side_->ends.clear();
    side_->inbound = nullptr;
  }

 private:
  static constexpr std::size_t bytes_max = 1 << 20;  ///< on their way to one end
  static Error lost() { return {ErrorCode::peer_lost, "the other side has closed the connection"}; }
  const std::shared_ptr<Medium> medium_;
  const std::vector<std::string> listen_, peers_;
  const std::shared_ptr<Side> side_ = std::make_shared<Side>();
};

}  // namespace memory
