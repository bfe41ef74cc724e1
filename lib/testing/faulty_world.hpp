#pragma once
/// The inside of FaultyNetwork: nodes, wires between them, and what is on its way.

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <queue>
#include <set>
#include <thread>

#include <midplane/testing/faulty_transport.hpp>

namespace midplane::inline v0::testing {

using Bytes = std::shared_ptr<std::vector<std::byte>>;
class FaultyWorld;
struct Wire;

/// One transport. What arrives for it waits here until its executor's timer brings it.
struct Node final : TimerWork {
  /// Something to tell, or to do, at an instant; in the order made when instants are equal.
  struct Arrival {
    Instant due;
    std::uint64_t order;
    std::shared_ptr<Function<void()>> happen;
    bool is_frame;
    friend bool operator<(const Arrival& a, const Arrival& b) {
      return a.due != b.due ? a.due > b.due : a.order > b.order;
    }
  };

  /// Arrived, and given when it is known whether another one of its connection comes right behind.
  struct Held {
    std::shared_ptr<Wire> wire;
    std::size_t side;
    Bytes bytes;
  };

  Node(FaultyWorld& its_world, std::string its_name) : world{its_world}, name{std::move(its_name)} {}
  void fire() noexcept override;

  FaultyWorld& world;
  const std::string name;
  Inbound* inbound = nullptr;
  Clock* clock = nullptr;
  Executor* executor = nullptr;
  std::priority_queue<Arrival> arrivals;
  std::optional<Held> held;
  std::thread::id runner;  ///< the thread inside `fire`
  bool is_started = false;
  bool is_armed = false;
  bool is_stopped = false;
};

/// One connection. Side 0 dialled, side 1 listened.
struct Wire {
  struct Way {
    std::size_t bytes_in_flight = 0;
    Instant last_due{};
    std::deque<Bytes> held;  ///< sent into a cut
    bool has_waiter = false;
  };
  std::uint64_t number = 0;
  std::shared_ptr<Node> nodes[2];
  Way ways[2];  ///< from side 0, from side 1
  bool is_up[2] = {false, false};
  bool is_over[2] = {false, false};    ///< no more sending from here
  bool is_told[2] = {false, false};    ///< down was told here
  bool is_deaf[2] = {false, false};    ///< half-open: what is sent to here vanishes

  [[nodiscard]] ConnectionId id(std::size_t side) const { return static_cast<ConnectionId>(2 * number + side); }
};

class FaultyWorld : public std::enable_shared_from_this<FaultyWorld> {
 public:
  explicit FaultyWorld(std::uint64_t seed) : random_{seeded_random(seed)} {}

  // For the transports.
  void start(const std::shared_ptr<Node>& node, const TransportContext& context);
  Result<std::string> listen(const std::shared_ptr<Node>& node, std::string_view endpoint);
  Result<void> dial(const std::shared_ptr<Node>& node, std::string_view endpoint);
  Sent send(ConnectionId id, std::span<const std::byte> frame);
  void disconnect(ConnectionId id);
  [[nodiscard]] bool flushed(const Node& node) const;
  void stop(const std::shared_ptr<Node>& node);
  void fire(Node& node);

  // For the network.
  void faults(std::string from, std::string to, Faults faults);
  void cut(const std::string& from, const std::string& to);
  void heal(const std::string& from, const std::string& to);
  void half_open(std::string_view told, std::string_view unaware);
  void disconnect(std::string_view a, std::string_view b);
  void crash(std::string_view node);
  [[nodiscard]] std::uint64_t trace_hash() const;
  void on_trace(Function<void(std::string_view)> sink);

 private:
  using WirePtr = std::shared_ptr<Wire>;
  // All of these under the lock; what they schedule happens without it.
  void schedule(Node& node, Instant due, Function<void()> happen, bool is_frame = false);
  void arm(Node& node);
  void connect(const std::shared_ptr<Node>& from, const std::string& endpoint);
  void deliver(const WirePtr& wire, std::size_t from, Bytes bytes, bool keeps_order);
  void arrive(const WirePtr& wire, std::size_t from, const Bytes& bytes, std::unique_lock<std::mutex>& lock);
  void give_held(Node& node, std::optional<Node::Held> next, std::unique_lock<std::mutex>& lock);
  void make_room(const WirePtr& wire, std::size_t from, std::size_t bytes);
  void tell_down(const WirePtr& wire, std::size_t side, Instant due, const Error& why);
  void end(const WirePtr& wire, std::size_t side);
  [[nodiscard]] WirePtr find(ConnectionId id) const;
  [[nodiscard]] const Faults& faults_between(const Node& from, const Node& to) const;
  [[nodiscard]] bool is_cut(const Node& from, const Node& to) const { return cuts_.contains({from.name, to.name}); }
  [[nodiscard]] Duration draw_delay(const Faults& faults);
  [[nodiscard]] bool draw(double chance);
  void note(const Node& node, std::string_view what, std::uint64_t wire, std::size_t bytes = 0);

  mutable std::mutex mutex_;
  std::condition_variable fired_;
  std::shared_ptr<Random> random_;
  Faults default_faults_;
  std::map<std::pair<std::string, std::string>, Faults> faults_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::map<std::string, std::shared_ptr<Node>> listeners_;
  std::set<Node*> nodes_;  ///< started and not stopped
  std::map<std::uint64_t, WirePtr> wires_;
  std::uint64_t next_wire_ = 1;
  std::uint64_t next_order_ = 0;
  std::uint64_t hash_ = 14695981039346656037ULL;
  Function<void(std::string_view)> sink_;
};

}  // namespace midplane::inline v0::testing
