#pragma once
/// The inside of a Client.

#include "bus/bus_core.hpp"
#include "bus/sender.hpp"
#include "call/asker.hpp"

namespace midplane::inline v0::detail {

class [[gnu::visibility("hidden")]] ClientCore final : public Part {
 public:
  ClientCore(std::shared_ptr<BusCore> owner, wire::DepotLease& depot, Duration default_timeout, call::AskerOptions options)
      : sender{depot.memory(), depot.take(), false, owner->limits.message_bytes_max},
        bus{std::move(owner)},
        timeout{default_timeout},
        asker{std::make_shared<call::Asker>(std::move(options))} {}
  ~ClientCore() override {
    asker->close();
    bus->dismiss(*this);
  }
  void refuse_new() noexcept override { refuses.store(true, std::memory_order_release); }
  void begin_close() noexcept override { asker->close(); }
  void add_to(Stats&) const override {}

  Sender sender;
  const std::shared_ptr<BusCore> bus;
  const Duration timeout;
  bool streams = false;  ///< its contract says so; set before anybody asks
  const std::shared_ptr<call::Asker> asker;
  std::atomic<bool> refuses{false};
};

}  // namespace midplane::inline v0::detail
