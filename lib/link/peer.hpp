#pragma once
/// One connection to one remote bus: who is there, what leaves, which requests are open in both directions. The sending
/// side is guarded by the remote's flag, which a new connection shares with the one before.

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/transport.hpp>
#include <midplane/schema.hpp>

#include "base/defect.hpp"
#include "link/assembly.hpp"
#include "link/far_totals.hpp"
#include "link/host.hpp"
#include "link/link_options.hpp"
#include "link/outgoing.hpp"
#include "link/remote.hpp"
#include "wire/frame.hpp"
#include "wire/return_address.hpp"
#include "wire/slab.hpp"

namespace midplane::inline v0::link {

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

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  /// `serial` is never used again by the same bus.
  Peer(Transport& transport, ConnectionId connection, std::uint64_t serial, const LinkOptions& options, Clock& clock);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Any thread; each takes the flag.
  /// Control is never dropped: it waits beyond the bounds of data. False when the connection is gone.
  bool send_control(const wire::Record& record) noexcept;
  /// The sink of a service; the same one for the same name as long as the connection lives.
  Result<std::shared_ptr<ServiceSink>> service_sink(const wire::NameBody& service, std::shared_ptr<FarTotals> totals) noexcept;
  [[nodiscard]] std::shared_ptr<ServiceSink> find_service(std::string_view name) noexcept;
  void writable() noexcept;
  /// True when it answers `ask_for_life`.
  bool granted(std::uint64_t bytes, std::uint32_t records) noexcept;
  void subscription_granted(std::uint32_t id, std::uint64_t bytes, std::uint32_t messages) noexcept;
  void items_granted(std::uint64_t request, std::uint32_t items) noexcept;
  /// `grant`: what was taken since the last one is told too.
  void heartbeat() noexcept;
  /// Nothing waits, and the peer has taken all messages that were sent.
  [[nodiscard]] bool idle() noexcept;
  /// So that the peer can tell the end from a crash, and knows the last numbers.
  void farewell(const wire::Record& record) noexcept;
  /// Has the peer say at once what it has taken, so that `idle` need not wait for its next heartbeat.
  void ask_for_grant() noexcept;
  /// Sends what only a living peer answers: what came from it before may be left over from one that is gone.
  void ask_for_life() noexcept;
  /// Ends the sending side: what is not known to have arrived is counted under `reason`, who waits is told `why`.
  void end(const Error& why, DropReason reason) noexcept;
  /// Answers to the frame that is being acted on leave together.
  void cork() noexcept;
  void uncork() noexcept;
  /// The frame just acted on: tells the peer when it is time.
  void took(std::size_t bytes, std::uint32_t data_records, bool wants_grant) noexcept;

  // With the flag held.
  bool send_locked(const wire::Record& record) noexcept;
  [[nodiscard]] Outgoing& outgoing() noexcept { return outgoing_; }
  /// Requests of ours that may be unanswered there: beyond it both sides would say busy.
  [[nodiscard]] std::size_t asked_max() const noexcept { return asked_max_; }
  void set_asked_max(std::uint32_t told) noexcept {
    if (told != 0) asked_max_ = std::min<std::size_t>(asked_max_, told);
  }
  [[nodiscard]] bool has_names_left() const noexcept { return names_given_ < names_per_link_max; }
  [[nodiscard]] std::size_t message_bytes_max() const noexcept { return outgoing_.frame_bytes_max - wire::frame_overhead_max; }
  /// Gives the topic its small id on this connection; `next`: the number of its next message.
  bool name_topic(FarTopicSink& sink, std::uint64_t next) noexcept;
  /// Who subscribes with another type gets our schema, once, and can judge.
  void tell_schema(const TypeInfo& ours, const wire::FarType& theirs);
  /// After a reconnect: the number of its next message tells what was missed.
  void name_again(FarTopicSink& sink) noexcept;
  /// Lists it for the next heartbeat.
  bool note_offered(FarTopicSink& sink) noexcept;
  /// Packs what waits, while the link takes it.
  void pump() noexcept;
  /// There may be room now, or one fewer to wait for: packs what waits and tells who waits for room.
  void go_on() noexcept;

  // Requests of ours that are answered.
  struct Asker {
    wire::ReturnAddress* address = nullptr;  ///< counted
    std::uint64_t correlation = 0;
    const wire::Name* service = nullptr;
    bool is_stream = false;
    std::uint64_t packed_at = 0;  ///< it has left when the transport has taken so many bytes
    std::uint64_t items = 0;      ///< that have come
  };
  /// Takes the asker out; empty when nobody waits for it any more.
  [[nodiscard]] Asker answered(std::uint64_t request) noexcept;
  /// The same for an item of a stream, which leaves it in. The address is counted for the caller.
  [[nodiscard]] Asker item_arrived(std::uint64_t request, std::uint32_t number) noexcept;

  // Requests of the peer that we serve.
  /// False beyond the limit, or when the id is in use.
  [[nodiscard]] bool open_served(std::uint64_t request, std::uint32_t stream_items) noexcept;
  void cancel_served(std::uint64_t request) noexcept;
  [[nodiscard]] PeerReturn* return_address() noexcept { return returns_; }

  void set_epoch(std::uint64_t epoch) noexcept { outgoing_.head.epoch = epoch; }
  /// On the version that both write from here on.
  void agree(std::uint16_t version) noexcept;
  [[nodiscard]] const wire::FrameHead& head() const noexcept { return outgoing_.head; }
  void adopt(std::shared_ptr<Remote> known) noexcept { remote = std::move(known); }

  Transport& transport;
  const ConnectionId connection;
  const std::uint64_t serial;
  /// Identity; written while greeting, constant afterwards.
  PeerInfo info;
  std::shared_ptr<Remote> remote;
  std::atomic<Phase> phase{Phase::greeting};
  std::atomic<std::int64_t> heard_at;      ///< nanoseconds; any frame is a sign of life
  std::atomic<std::int64_t> heartbeat_at;  ///< when the next one is due
  std::atomic<bool> told{false};
  std::atomic<bool> doomed{false};         ///< control was lost: to be ended at the next turn
  std::atomic<bool> closing{false};        ///< `disconnect` was called
  Error ended_by{ErrorCode::peer_lost, Fate::maybe_executed, "the connection ended"};  ///< guarded by Links

  // The receiving side; touched only by the calls of this connection, which come one at a time.
  struct Named {
    FarTopic* topic;             ///< null: a service
    const wire::Name* service;
  };
  bool is_receiving = false;  ///< corked since the first of some frames that came together
  bool has_untold = false;    ///< they had data
  std::uint16_t next_frame = 0;
  std::vector<Named> far_names;
  [[nodiscard]] FarTopic* find_topic(std::uint32_t id) const noexcept {
    if (base::defect(base::Defect::name_one_too_large) && id == far_names.size() + 1) return far_names.data()[id - 1].topic;
    return id == 0 || id > far_names.size() ? nullptr : far_names[id - 1].topic;
  }
  [[nodiscard]] const wire::Name* find_service(std::uint32_t id) const noexcept {
    return id == 0 || id > far_names.size() || far_names[id - 1].topic ? nullptr : far_names[id - 1].service;
  }
  std::unordered_set<std::uint32_t> far_subscriptions;
  Assembly assembly;
  wire::Slab slab;                          ///< for small messages that came together
  const std::byte* frame_end = nullptr;     ///< of the frame being read
  /// Messages of one topic that follow each other in it, for the host: what is done once for all of them costs each less.
  struct Run {
    FarTopic* topic = nullptr;
    std::size_t size = 0;
    std::array<wire::Envelope*, 32> messages;
  };
  Run run;

 private:
  friend class FarTopicSink;
  friend class ServiceSink;
  friend class PeerReturn;

  struct Served {
    bool cancelled = false;
    std::uint32_t stream_items = 0;
    std::uint64_t sent_items = 0, taken_items = 0;
    std::size_t wanted_bytes = 1;  ///< of the item that found no credit
    Function<void()> gave_up{};
    Function<void()> writable{};
  };
  Result<std::uint32_t> assign(wire::NameBody given) noexcept;
  [[nodiscard]] bool may_send_item(const Served& served, std::size_t bytes) const noexcept;
  void collect_writable(std::vector<Function<void()>>& ready) noexcept;
  void grant_locked() noexcept;

  const LinkOptions& options_;
  Clock& clock_;
  bool open_ = true;
  Outgoing outgoing_;
  std::uint64_t life_at_ = 0;  ///< who has taken so many bytes lived when `ask_for_life` was called
  Intake intake_;
  std::uint32_t names_given_ = 0;
  std::uint64_t requests_given_ = 0;
  std::size_t asked_max_;
  std::map<std::string, std::shared_ptr<ServiceSink>, std::less<>> services_;
  std::vector<FarTopicSink*> offered_since_heartbeat_;
  std::set<std::uint64_t> schemas_told_;
  std::unordered_map<std::uint64_t, Asker> asked_;
  std::unordered_map<std::uint64_t, Served> served_;
  std::size_t streams_waiting_ = 0;  ///< of served_: those with a `writable`
  PeerReturn* returns_ = nullptr;
};

}  // namespace midplane::inline v0::link
