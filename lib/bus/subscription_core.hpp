#pragma once
/// The inside of a Subscription or an Inbox: its mailbox, and its place in the routes and at the peers.

#include "bus/bus_core.hpp"
#include "mailbox/pull_box.hpp"
#include "mailbox/runner.hpp"

namespace midplane::inline v0::detail {

class [[gnu::visibility("hidden")]] SubscriptionCore final : public Part {
 public:
  SubscriptionCore(std::shared_ptr<BusCore> owner, std::uint32_t given) : bus{std::move(owner)}, id{given} {}
  ~SubscriptionCore() override;

  /// Leaves routes and peers; what waits is counted as unsubscribed. Waits for the handler unless inside one.
  void end() noexcept;
  void refuse_new() noexcept override {}
  void begin_close() noexcept override;
  [[nodiscard]] mailbox::Runner* runner() noexcept override { return run; }
  void add_to(Stats& stats) const override;
  void describe(Description& bus) const override;
  [[nodiscard]] mailbox::Mailbox& box() const noexcept;
  /// An event, behind the messages that `sender` has put into its lane so far; dropped when nobody listens.
  void tell(SubscriptionEvent event, const void* sender) noexcept;
  /// A topic of this bus has another type: what comes on it is counted as schema_mismatch.
  void tell_mismatch(std::string_view topic, const Error& why) noexcept;
  Result<void> confirmed() const;

  const std::shared_ptr<BusCore> bus;
  const std::uint32_t id;
  mailbox::Runner* run = nullptr;    ///< a handler; counted
  mailbox::PullBox* pull = nullptr;  ///< an inbox; counted
  bool listens_to_events = false;
  const TypeInfo* type = nullptr;
  std::string group;
  wire::Depot* depot = nullptr;      ///< for events
  bool is_waiting = false;           ///< overflow is refuse or block, outside of a group: far senders get credits

 private:
  bool put(SubscriptionEvent event, const void* sender) noexcept;
  std::atomic<bool> ended_{false};
  std::atomic<bool> lost_events_{false};  ///< there were more than may wait
};

}  // namespace midplane::inline v0::detail
