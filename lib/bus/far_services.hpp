#pragma once
/// What peers serve, and whether their types agree with those of the handles here. A server whose types do not agree is
/// no server: who asks it gets `schema_mismatch` unless another one serves the name.

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/bus_core.hpp"

namespace midplane::inline v0::detail {

class FarServices {
 public:
  explicit FarServices(BusCore& bus) noexcept : bus_{bus} {}

  // Told by the calls of a peer.
  void offered(link::PeerId peer, std::string_view name, const wire::OfferedBody& what) noexcept;
  void withdrawn(link::PeerId peer, std::string_view service) noexcept;
  void lost(link::PeerId peer) noexcept;
  void schema_arrived(link::PeerId peer, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept;
  /// A handle here has stated the types of a service: offers of it are judged by them.
  void stated(std::string_view service) noexcept;
  /// The schema of some offer was asked for and has not come.
  [[nodiscard]] bool are_judging() const noexcept { return waiting_.load() != 0; }

 private:
  enum class State : std::uint8_t { fresh, waiting, joined, refused };
  struct Offer {
    wire::OfferedBody what;
    std::string peer;
    std::shared_ptr<call::ServiceRoute> route;
    std::shared_ptr<wire::Sink> sink;
    State state = State::fresh;
    std::set<std::uint64_t> asked{};  ///< fingerprints
  };
  using Key = std::pair<link::PeerId, std::string>;
  /// What is told when the lock is free again.
  struct News {
    std::vector<std::pair<link::PeerId, std::uint64_t>> wanted;
    struct Mismatch {
      std::string service, peer;
      Error why;
    };
    std::vector<Mismatch> mismatches;
  };

  void judge(const Key& key, Offer& offer, News& news, std::uint64_t arrived = 0, std::span<const std::byte> bfbs = {});
  void set(Offer& offer, State state) noexcept;
  void leave(Offer& offer) noexcept;
  void tell(const News& news) noexcept;

  BusCore& bus_;
  std::mutex mutex_;
  std::map<Key, Offer> offers_;
  std::atomic<int> waiting_{0};
};

}  // namespace midplane::inline v0::detail
