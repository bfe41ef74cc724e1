#pragma once
/// What a peer may send to the waiting subscriptions of ours (overflow refuse or block): tells it what has left their
/// queues, so that nothing it sends finds them full. One per peer.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "link/links.hpp"
#include "mailbox/mailbox.hpp"

namespace midplane::inline v0::detail {

class FarCredits : public std::enable_shared_from_this<FarCredits> {
 public:
  /// `sender`: whose lanes its messages go through.
  FarCredits(std::shared_ptr<link::Links> links, link::PeerId peer, std::shared_ptr<const void> sender) noexcept
      : links_{std::move(links)}, peer_{peer}, sender_{std::move(sender)} {}
  ~FarCredits();
  FarCredits(const FarCredits&) = delete;

  /// A new link: positions begin anew, for each subscription when it joins its first topic.
  void begin() noexcept;
  void joined(std::uint32_t id, mailbox::Mailbox& box) noexcept;
  void ended(std::uint32_t id) noexcept;
  /// Messages of these sizes were offered to it: grants when a quarter has left the queue, or asks to be told when it
  /// has.
  void offered(std::uint32_t id, std::span<const std::uint32_t> sizes) noexcept;

 private:
  struct Credit {
    mailbox::Mailbox* box;                 ///< counted
    mailbox::Lane* lane;
    std::uint64_t base;                    ///< offers of the lane before
    std::deque<std::uint32_t> sizes{};     ///< of messages offered that were not seen to leave
    std::uint64_t messages = 0, bytes = 0; ///< that have left
    std::uint64_t offered_bytes = 0;
    std::uint64_t told_messages = 0, told_bytes = 0;
    bool waits = false;                    ///< for the queue to tell
    bool is_stale = false;                 ///< counted for an earlier link
  };
  static void look(Credit& credit) noexcept;
  void grant(std::uint32_t id, bool whatever) noexcept;

  const std::shared_ptr<link::Links> links_;
  const link::PeerId peer_;
  const std::shared_ptr<const void> sender_;
  std::mutex mutex_;
  std::map<std::uint32_t, Credit> credits_;
};

}  // namespace midplane::inline v0::detail
