#pragma once
/// The inside of a Publisher: its flag, its pooled memory, its outlets.

#include <map>

#include "bus/bus_core.hpp"
#include "bus/sender.hpp"
#include "route/outlet.hpp"

namespace midplane::inline v0::detail {

class [[gnu::visibility("hidden")]] PublisherCore final : public Part {
 public:
  /// Without a route it names the topic per call.
  PublisherCore(std::shared_ptr<BusCore> bus, std::shared_ptr<route::TopicRoute> route, const TypeInfo& type,
                PublisherOptions options, wire::DepotLease& depot);
  ~PublisherCore() override;

  Result<Published> publish(Draft& draft, const PublishOptions& options) noexcept;
  Result<Published> publish_to(std::string_view topic, const TypeInfo& type, Draft& draft,
                               const PublishOptions& options, bool retain) noexcept;

  void refuse_new() noexcept override;
  void begin_close() noexcept override { refuse_new(); }
  void add_to(Stats& stats) const override;

  Sender sender;
  const std::shared_ptr<BusCore> bus;
  [[nodiscard]] route::TopicRoute* route() noexcept { return one_ ? &one_->outlet.route() : nullptr; }

 private:
  struct Way {
    Way(std::shared_ptr<route::TopicRoute> route, const TypeInfo& type, route::OutletOptions options)
        : name{route->name()}, outlet{std::move(route), options}, type{&type}, is_bytes{type.is_bytes()} {}
    const wire::Name* const name;
    route::Outlet outlet;
    const TypeInfo* type;
    const bool is_bytes;
    std::atomic<std::uint64_t> published{0};
    std::atomic<std::uint64_t> payload_bytes{0};
    bool retains = false;  ///< is one of the route's retainers
  };
  Result<void> prepare(wire::Envelope& envelope, std::string_view topic, const PublishOptions& options) noexcept;
  Result<Way*> way_to(std::string_view topic, const TypeInfo& type, route::Mismatches& mismatches) noexcept;
  [[nodiscard]] route::OutletOptions outlet_options() noexcept;
  static void retain_on(Way& way) noexcept;
  static void stop_retaining_on(Way& way) noexcept;
  [[nodiscard]] bool try_lock() noexcept {
    return options_.one_thread ? !blocked_.load(std::memory_order_relaxed) : flag_.try_lock();
  }
  Result<void> lock_slowly() noexcept;
  void unlock() noexcept;
  // With the flag held, which these four give up.
  Result<Published> send_locked(Way& way, wire::Envelope* envelope) noexcept;
  Result<Published> send_to_all(Way& way, wire::Envelope* envelope) noexcept;
  void end_send_to_sole(Way& way, route::Put put) noexcept;
  void end_send(Way& way, route::Wakes& wakes, const Error* error) noexcept;
  // And which these leave held.
  void label(const Way& way, wire::Envelope& envelope) const noexcept;
  void count(Way& way, std::uint32_t size, bool is_draining) noexcept;
  route::Put put_to_sole(Way& way, wire::Envelope* envelope) noexcept;
  Result<Published> send(Way& way, wire::Envelope* envelope, route::Wakes& wakes) noexcept;
  static void leave(BusCore& bus, std::string_view topic, const Error* error) noexcept;

  const PublisherOptions options_;
  const bool prepares_;  ///< every message is stamped or seen by interceptors
  base::Flag flag_;
  std::atomic<const void*> blocked_{nullptr};  ///< the thread that waits for room inside `send`
  std::atomic<const Executor*> waits_for_{nullptr};  ///< what makes the room that is waited for
  bool refuses_ = false;
  std::uint64_t sequence_ = 0;
  std::unique_ptr<Way> one_;
  mutable std::mutex ways_mutex_;  ///< the map's shape; the flag is held by whoever changes it
  std::map<std::string, std::unique_ptr<Way>, std::less<>> ways_;
};

}  // namespace midplane::inline v0::detail
