#pragma once
/// One host: a bus and what runs on it, for one life. Everything it does is drawn.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_executor.hpp>

#include "worlds/dice.hpp"
#include "worlds/link_views.hpp"
#include "worlds/request_book.hpp"
#include "worlds/sight.hpp"

namespace midplane::worlds {

/// What all hosts of a world share.
struct Ground {
  Ground(std::uint64_t seed, bool keeps_text, Rules without);

  std::shared_ptr<testing::ManualClock> clock;
  std::shared_ptr<ManualExecutor> loop;  ///< of all buses
  std::shared_ptr<ManualExecutor> slow;  ///< of handlers that do not keep up
  Dice dice;
  Trace trace;
  Law law;
  Record record;
  RequestBook requests;
  LinkViews links;
  testing::FaultyNetwork network;
  std::vector<std::unique_ptr<Sight>> sights;  ///< of all lives
};

/// A subscription with its diary.
struct Reader {
  Sight* sight = nullptr;
  std::string pattern;
  std::optional<Subscription> subscription;
  std::optional<Inbox<Bytes>> inbox;
  [[nodiscard]] SinkStats stats() const { return inbox ? inbox->stats() : subscription->stats(); }
};

/// A publisher with its number in the world.
struct Writer {
  std::uint64_t number = 0;
  std::uint32_t topic = 0;
  std::uint64_t counter = 0;
  std::function<Result<Published>(std::span<const std::byte>, const PublishOptions&)> publish;
};

class Host {
 public:
  Host(Ground& ground, unsigned number, std::vector<std::string> dials);
  ~Host();

  [[nodiscard]] unsigned number() const noexcept { return number_; }
  [[nodiscard]] unsigned life() const noexcept { return life_; }

  /// A few things at random: publishes, requests, joiners and leavers.
  void act();
  /// What was begun is carried on: inboxes are emptied, kept replies sent, streams read.
  void carry_on(bool everything);
  void read_streams();
  std::optional<Stamp> publish(Writer& writer);
  /// So many publishes at once on a topic that a tight subscription of this host listens to.
  void burst(unsigned messages);
  /// Subscribes in a way that is drawn, or as told.
  Reader& join_somehow();
  Reader& join_retained();
  /// The nonce of a request that will be answered when somebody serves it.
  std::uint64_t ask_plainly();
  /// No more streams and requests are held.
  void drop_questions();

  /// Without goodbye when the network has crashed this host before.
  void end();

  [[nodiscard]] std::vector<Reader>& readers() noexcept { return readers_; }
  [[nodiscard]] std::vector<Writer>& writers() noexcept { return writers_; }
  [[nodiscard]] Bus& bus() noexcept { return *bus_; }

 private:
  struct Events;
  struct KeptReply {
    Instant due;
    Stamp stamp;
    Responder<Bytes> responder;
  };
  struct KeptStream {
    std::uint64_t nonce;
    Instant deadline;
    Stream<Bytes> stream;
  };

  void note_speaker(std::string_view peer);
  void open_writers();
  void open_readers();
  void open_servers();
  void request();
  void open_stream();
  void serve(Request<Bytes> request, Responder<Bytes> responder);
  void feed_stream(const Request<Bytes>& request, StreamResponder<Bytes> responder);
  void empty_inbox(Reader& reader, std::size_t most);
  void note_joining(const View& view, std::string_view pattern, const SubscribeOptions& options);
  Reader& join(std::string pattern, bool typed, SubscribeOptions options, View view, bool throws = false);
  Reader& join_inbox(std::string pattern, SubscribeOptions options, View view);

  Ground& ground_;
  const unsigned number_;
  const unsigned life_;
  std::optional<Bus> bus_;
  std::vector<Writer> writers_;
  std::vector<Reader> readers_;
  std::vector<Server> servers_;
  std::optional<Client<Bytes, Bytes>> asker_;
  std::optional<Client<Bytes, Bytes>> feeder_;
  std::vector<KeptReply> kept_;
  std::vector<KeptStream> streams_;
  std::vector<std::pair<std::uint64_t, Pending<Bytes>>> unawaited_;
};

}  // namespace midplane::worlds
