#pragma once
/// A mailbox that its user empties: the queue of an Inbox.

#include <functional>

#include <midplane/extend/executor.hpp>
#include <midplane/message.hpp>

#include "mailbox/mailbox.hpp"

namespace midplane::inline v0::mailbox {

class PullBox final : public Mailbox {
 public:
  /// `verify`: what came from another process is verified before it is handed out.
  PullBox(std::string name, Queue queue, std::shared_ptr<Clock> clock,
          bool (*verify)(std::span<const std::byte>) noexcept)
      : Mailbox{std::move(name), queue, true}, clock_{std::move(clock)}, verify_{verify} {}

  /// The next message or event; false when nothing waits. Counts it as delivered.
  bool try_take(Taken& taken) noexcept;
  void close(DropReason reason) noexcept override;
  /// Where a taker parks; it is told when something waits and when the box closes.
  [[nodiscard]] base::Parking& spot() noexcept { return spot_; }
  /// Calls `ready` once, when something waits or the box closes; at once when that is so already. Any number may wait;
  /// all are told. What stands here for an awaiter that has expired goes when the next one comes.
  void when_ready(std::weak_ptr<const void> awaiter, Function<void()> ready);
  [[nodiscard]] bool is_ready() noexcept;
  /// Told on every arrival: for a driven executor whose driver has to wake. Set before the first arrival.
  std::function<void()> nudge;
  /// A driven executor: a sender that waits for room drives it, since nobody else may run meanwhile.
  std::shared_ptr<Executor> driven;
  [[nodiscard]] std::shared_ptr<Executor> drainer() const noexcept override { return driven; }

 private:
  ~PullBox() override = default;
  void wake() noexcept override;
  void tell_ready() noexcept;

  struct Waiting {
    std::weak_ptr<const void> awaiter;
    Function<void()> ready;
  };
  std::shared_ptr<Clock> clock_;
  bool (*verify_)(std::span<const std::byte>) noexcept;
  base::Parking spot_;
  std::mutex ready_mutex_;
  std::vector<Waiting> ready_;
  std::atomic<bool> has_ready_{false};
};

}  // namespace midplane::inline v0::mailbox
