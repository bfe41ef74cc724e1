#pragma once
/// A network inside one process that breaks on demand: delays, cuts, half-open connections, corrupt frames, crashes.
/// With a manual executor and a manual clock, one seed gives one run, again and again.
///
///     testing::FaultyNetwork network{seed};
///     auto a = network.transport("a", {.listen = {"sim://a"}});
///     auto b = network.transport("b", {.peers = {"sim://a"}});
///     network.faults({.delay_max = 20ms});
///     network.cut("a", "b");
///
/// Without faults it obeys the law of a Transport. All buses on one network share one clock. Calls here are safe from any
/// thread, but only one thread makes a run repeatable.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/extend/transport.hpp>
#include <midplane/function.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {
namespace testing {

/// What one direction does to what travels along it. Chances are between 0 and 1, taken for each frame.
struct Faults {
  Duration delay_min{};  ///< at least so long on the way
  Duration delay_max{};          ///< drawn anew for each frame; within one connection the order stays
  double corrupt = 0;            ///< one byte is changed
  double duplicate = 0;          ///< arrives twice
  double lose = 0;               ///< never arrives, and the connection lives on
  double reorder = 0;            ///< may overtake frames of its own connection
  double disconnect = 0;         ///< its connection ends at both ends instead
  std::size_t bytes_in_flight_max = 256 << 10;  ///< per connection; beyond it `send` answers full
};

/// Where a node listens and whom it dials.
struct FaultyOptions {
  std::vector<std::string> listen{};  ///< any text is an endpoint; a node listens at it once
  std::vector<std::string> peers{};  ///< dialled, and again when lost
};

class FaultyWorld;

/// The network: hands out transports and breaks what is between them.
class FaultyNetwork {
 public:
  /// The same seed, the same run.
  explicit FaultyNetwork(std::uint64_t seed);
  FaultyNetwork(FaultyNetwork&&) noexcept;
  FaultyNetwork& operator=(FaultyNetwork&&) noexcept;
  ~FaultyNetwork();

  /// A transport for the bus called `node`. It may outlive the network object.
  [[nodiscard]] std::unique_ptr<Transport> transport(std::string node, FaultyOptions options = {});

  /// For every direction that has none of its own.
  void faults(Faults faults);
  /// For this direction.
  void faults(std::string_view from, std::string_view to, Faults faults);

  /// Nothing passes between the two and dials fail; nobody is told. Frames wait for `heal`.
  void cut(std::string_view a, std::string_view b);
  /// As `cut`, in one direction only.
  void cut_one_way(std::string_view from, std::string_view to);
  /// Ends a cut, both ways; what waited goes on.
  void heal(std::string_view a, std::string_view b);
  /// `told` learns that its connections with `unaware` are down; `unaware` does not, and what it sends vanishes.
  void half_open(std::string_view told, std::string_view unaware);
  /// Every connection between the two ends, at both ends.
  void disconnect(std::string_view a, std::string_view b);
  /// The node neither says nor hears anything any more; what it had sent is lost, and its peers are told down. The name
  /// may be used for a new transport.
  void crash(std::string_view node);

  /// Over everything that has happened: equal for equal runs.
  [[nodiscard]] std::uint64_t trace_hash() const;
  /// Receives one line for everything that happens from now on. Called with a lock held: only write it down.
  void on_trace(Function<void(std::string_view line)> sink);

 private:
  std::shared_ptr<FaultyWorld> world_;
};

}  // namespace testing
}  // namespace v0
}  // namespace midplane
