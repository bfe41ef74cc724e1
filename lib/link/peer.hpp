#pragma once
/// One connection and the bus at its other end: the sending side. Whoever has something to say packs it into one frame
/// and gives it to the transport itself, under the peer's flag; only when the transport is full does a frame wait here.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/transport.hpp>

#include "base/flag.hpp"
#include "link/far_totals.hpp"
#include "link/host.hpp"
#include "link/link_options.hpp"
#include "wire/frame.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::link {

class TopicSink;
class ServiceSink;
class PeerReturn;

enum class Phase : std::uint8_t {
  greeting,      ///< connected; hello is to come
  tentative,     ///< we listen and have answered hello; the dialling side decides
  establishing,  ///< decided; the host is being told
  up,
  refusing,      ///< a refusal is on its way; nothing else is read
  ended,
};

/// What became of a record.
enum class Put : std::uint8_t { sent, waiting, full, too_large, no_memory, gone };

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  Peer(Transport& transport, ConnectionId connection, const LinkOptions& options, Clock& clock) noexcept;
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Any thread; each takes the flag.
  /// Control is never dropped: it waits beyond the bounds of data. False when the connection is gone.
  bool send_control(const wire::Record& record) noexcept;
  /// The sink of a topic or service; the same one for the same name as long as the connection lives.
  Result<std::shared_ptr<TopicSink>> topic_sink(const wire::NameBody& topic, std::shared_ptr<FarTotals> totals) noexcept;
  Result<std::shared_ptr<ServiceSink>> service_sink(const wire::NameBody& service,
                                                    std::shared_ptr<FarTotals> totals) noexcept;
  [[nodiscard]] std::shared_ptr<TopicSink> find_topic(std::string_view name) noexcept;
  [[nodiscard]] std::shared_ptr<ServiceSink> find_service(std::string_view name) noexcept;
  void writable() noexcept;
  void heartbeat() noexcept;
  [[nodiscard]] bool idle() noexcept;
  /// Data waiting for one name, counted in the queue itself.
  [[nodiscard]] std::uint64_t waiting(const FarTotals& totals) noexcept;
  /// Ends the sending side: what waits is counted under `reason`, who waits is told `why`.
  void end(const Error& why, DropReason reason) noexcept;

  // Requests of ours that are answered.
  struct Asker {
    wire::ReturnAddress* address = nullptr;  ///< counted
    std::uint64_t correlation = 0;
    const wire::Name* service = nullptr;
    bool left = false;
  };
  /// Takes the asker out; empty when nobody waits for it any more.
  [[nodiscard]] Asker answered(std::uint64_t request) noexcept;

  // Requests of the peer that we serve.
  /// False beyond the limit, or when the id is in use.
  [[nodiscard]] bool open_served(std::uint64_t request) noexcept;
  void cancel_served(std::uint64_t request) noexcept;
  [[nodiscard]] PeerReturn* return_address() noexcept { return returns_; }

  [[nodiscard]] wire::FrameHead head() const noexcept { return head_; }
  void set_epoch(std::uint64_t epoch) noexcept { head_.epoch = epoch; }

  Transport& transport;
  const ConnectionId connection;
  /// Identity; written while greeting, constant afterwards.
  PeerInfo info;
  const wire::Name* name = nullptr;
  std::size_t frame_bytes_max;
  std::atomic<Phase> phase{Phase::greeting};
  std::atomic<std::int64_t> heard_at;      ///< nanoseconds; any frame is a sign of life
  std::atomic<std::int64_t> heartbeat_at;  ///< when the next one is due
  std::atomic<bool> told{false};
  std::atomic<bool> doomed{false};         ///< control was lost: to be ended at the next turn
  std::atomic<bool> closing{false};        ///< `disconnect` was called
  Error ended_by{ErrorCode::peer_lost, Fate::maybe_executed, "the connection ended"};  ///< guarded by Links

  // The receiving side; touched only by the calls of this connection, which come one at a time.
  std::vector<FarTopic> far_names;
  std::unordered_set<std::uint32_t> far_subscriptions;

 private:
  friend class TopicSink;
  friend class ServiceSink;
  friend class PeerReturn;

  struct Waiting {
    wire::Body frame;
    FarTotals* totals;      ///< data: where it is counted
    std::uint64_t request;  ///< 0: no request of ours
    bool bounded;
  };
  struct Served {
    bool cancelled = false;
    Function<void()> gave_up{};
  };

  Put put(const wire::Record& record, FarTotals* totals, std::uint64_t request, bool bounded) noexcept;
  [[nodiscard]] bool room_for(std::size_t frame_bytes) const noexcept;
  Result<std::uint32_t> assign(wire::NameBody given) noexcept;
  void forget_waiting(const Waiting& waiting) noexcept;

  const LinkOptions& options_;
  Clock& clock_;
  base::Flag flag_;
  bool open_ = true;
  wire::FrameHead head_;
  wire::FrameBuilder builder_;
  std::deque<Waiting> queue_;
  std::size_t queued_messages_ = 0;
  std::size_t queued_bytes_ = 0;
  std::size_t control_bytes_ = 0;
  std::uint32_t names_given_ = 0;
  std::uint64_t requests_given_ = 0;
  std::map<std::string, std::shared_ptr<TopicSink>, std::less<>> topics_;
  std::map<std::string, std::shared_ptr<ServiceSink>, std::less<>> services_;
  std::vector<TopicSink*> offered_since_heartbeat_;
  std::unordered_map<std::uint64_t, Asker> asked_;
  std::unordered_map<std::uint64_t, Served> served_;
  PeerReturn* returns_ = nullptr;
};

}  // namespace midplane::inline v0::link
