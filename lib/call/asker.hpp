#pragma once
/// One client's side of its service: the lanes to near servers, the far sinks, the policies, the pending requests.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <midplane/extend/balancer.hpp>
#include <midplane/extend/interceptor.hpp>

#include "base/flag.hpp"
#include "call/correlator.hpp"
#include "call/service_route.hpp"

namespace midplane::inline v0::call {

struct AskerOptions {
  std::shared_ptr<ServiceRoute> route;
  std::shared_ptr<Executor> executor;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Balancer> balancer;
  std::vector<std::shared_ptr<Interceptor>> interceptors;
  std::shared_ptr<CallCounters> counters;
  std::uint32_t pending_max = 4096;
  /// True while some configured peer has not told yet what it serves.
  std::function<bool()> still_reaching;
  /// What may be why nobody serves the name; empty: nothing is known.
  std::function<std::string()> why_nobody;
};

class Asker : public std::enable_shared_from_this<Asker> {
 public:
  explicit Asker(AskerOptions options);
  Asker(const Asker&) = delete;
  ~Asker();

  /// Sends the request: takes over the caller's reference. The answer is a call whose outcome comes, or an Error with
  /// nothing sent. `request->extra` is there.
  Result<Call*> ask(wire::Envelope* request, Duration timeout, bool streaming) noexcept;

  [[nodiscard]] Correlator& correlator() noexcept { return *correlator_; }
  [[nodiscard]] ServiceRoute& route() noexcept { return *options_.route; }
  void close() noexcept;

 private:
  struct Server {
    mailbox::Runner* runner = nullptr;  ///< near; the asker counts a reference
    mailbox::Lane* lane = nullptr;
    ServerId id = 0;
    std::shared_ptr<wire::Sink> far;
  };
  enum class Moved : std::uint8_t { taken, all_full, nobody };

  /// The loop of `attempt.cpp`: pick, enter, offer, outcome, again.
  void attempt(Call& call, wire::Envelope* request) noexcept;
  Moved offer_to_one(Call& call, wire::Envelope* request, std::pair<mailbox::Runner*, mailbox::Lane*>& wake) noexcept;
  [[nodiscard]] Error nobody() const noexcept;
  void wait_for_server(Call& call, wire::Envelope* request) noexcept;
  std::optional<Error> enter(Call& call, const wire::Envelope& request) noexcept;
  void renew();

  AskerOptions options_;
  Correlator* correlator_;
  base::Flag flag_;
  std::uint64_t version_ = 0;
  std::vector<Server> servers_;
  std::vector<Candidate> candidates_;
};

}  // namespace midplane::inline v0::call
