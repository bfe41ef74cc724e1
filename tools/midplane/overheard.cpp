#include "overheard.hpp"

namespace midplane::tool {
namespace {

class Overheard final : public Transport, private Inbound {
 public:
  Overheard(std::unique_ptr<Transport> transport, std::shared_ptr<Hearsay> hearsay)
      : transport_{std::move(transport)}, hearsay_{std::move(hearsay)} {}

  Result<void> start(TransportContext context) override {
    inbound_ = &context.inbound;
    return transport_->start({*this, context.clock, context.random, context.executor, context.frame_bytes_max});
  }
  std::span<const std::string> listen_endpoints() const noexcept override { return transport_->listen_endpoints(); }
  std::span<const std::string> dial_endpoints() const noexcept override { return transport_->dial_endpoints(); }
  Result<std::string> listen(std::string_view endpoint) override { return transport_->listen(endpoint); }
  Result<void> dial(std::string_view endpoint) override { return transport_->dial(endpoint); }
  Sent send(ConnectionId id, std::span<const std::byte> frame) noexcept override { return transport_->send(id, frame); }
  Sent give(ConnectionId id, OutboundFrame frame) noexcept override { return transport_->give(id, frame); }
  void disconnect(ConnectionId id) noexcept override { transport_->disconnect(id); }
  bool flushed() const noexcept override { return transport_->flushed(); }
  TransportCounts counts() const noexcept override { return transport_->counts(); }
  void stop() noexcept override { transport_->stop(); }

 private:
  void up(ConnectionId id, bool dialled, std::string_view endpoint) noexcept override {
    if (dialled) {
      const std::lock_guard lock{mutex_};
      dialled_.insert_or_assign(id, std::string{endpoint});
    }
    inbound_->up(id, dialled, endpoint);
  }
  void frame(ConnectionId id, InboundFrame frame) noexcept override { inbound_->frame(id, std::move(frame)); }
  void writable(ConnectionId id) noexcept override { inbound_->writable(id); }
  void down(ConnectionId id, const Error& why) noexcept override {
    std::string endpoint;
    {
      const std::lock_guard lock{mutex_};
      if (auto found = dialled_.extract(id)) endpoint = std::move(found.mapped());
    }
    inbound_->down(id, why);
    if (!endpoint.empty()) hearsay_->failed(endpoint, why);
  }
  void dial_failed(std::string_view endpoint, const Error& why) noexcept override {
    inbound_->dial_failed(endpoint, why);
    hearsay_->failed(endpoint, why);
  }

  const std::unique_ptr<Transport> transport_;
  const std::shared_ptr<Hearsay> hearsay_;
  Inbound* inbound_ = nullptr;
  std::mutex mutex_;
  std::map<ConnectionId, std::string> dialled_;
};

}  // namespace

void Hearsay::event(const Event& event) noexcept {
  const std::lock_guard lock{mutex_};
  // A refused greeting names the bus when it is known, else the address; both are looked up.
  if (event.kind == EventKind::peer_refused) why_.insert_or_assign(std::string{event.name}, std::string{event.detail});
  ++news_;
  rings_.notify_all();
}

void Hearsay::failed(std::string_view endpoint, const Error& why) noexcept {
  const std::lock_guard lock{mutex_};
  why_.insert_or_assign(std::string{endpoint}, why.message());
  ++news_;
  rings_.notify_all();
}

std::string Hearsay::about(const std::string& endpoint) const {
  const std::lock_guard lock{mutex_};
  const auto found = why_.find(endpoint);
  return found == why_.end() ? std::string{} : found->second;
}

std::unique_ptr<Transport> overheard(std::unique_ptr<Transport> transport, std::shared_ptr<Hearsay> hearsay) {
  return std::make_unique<Overheard>(std::move(transport), std::move(hearsay));
}

}  // namespace midplane::tool
