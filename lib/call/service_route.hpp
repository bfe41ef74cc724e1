#pragma once
/// Who serves one service: near servers and far sinks; and the requests that wait for the first of them.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <midplane/schema.hpp>

#include "exec/condition.hpp"
#include "mailbox/runner.hpp"
#include "wire/payload_memory.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::call {

using ServerId = std::uint64_t;

/// One near server; the route counts a reference to its runner.
struct NearServer {
  ServerId id = 0;
  mailbox::Runner* runner = nullptr;
};

class ServiceRoute {
 public:
  explicit ServiceRoute(const wire::Name* name) noexcept : name_{name} {}
  ~ServiceRoute();

  [[nodiscard]] const wire::Name* name() const noexcept { return name_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  /// States the types that a handle gives to the service: `schema_mismatch` when an earlier one stated others.
  Result<void> state_types(const TypeInfo& question, const TypeInfo& answer);
  /// Question and answer as stated; null: raw bytes so far.
  [[nodiscard]] std::pair<const TypeInfo*, const TypeInfo*> types() const;

  void add(NearServer server);
  void remove(ServerId id) noexcept;
  void add(std::shared_ptr<wire::Sink> sink);
  /// A far server whose types do not agree: it gets no request, and who has no other server is told `why`.
  void refuse(std::shared_ptr<wire::Sink> sink, const Error& why);
  /// A far server, whether it was added or refused.
  void remove(const wire::Sink& sink) noexcept;
  /// Why far servers were refused; empty: none is.
  [[nodiscard]] std::optional<Error> refusal() const;
  /// Copies who serves now, and the version that belongs to it.
  std::uint64_t read(std::vector<NearServer>& near, std::vector<std::shared_ptr<wire::Sink>>& far) const;
  /// Somebody serves the name, with whatever types.
  [[nodiscard]] bool has_server() const;

  /// Requests that wait for a server look again when this is told.
  exec::Condition condition;

 private:
  const wire::Name* name_;
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_;
  const TypeInfo* question_ = nullptr;
  const TypeInfo* answer_ = nullptr;
  std::vector<NearServer> near_;
  std::vector<std::shared_ptr<wire::Sink>> far_;
  std::vector<std::pair<std::shared_ptr<wire::Sink>, Error>> refused_;
};

class Services {
 public:
  explicit Services(wire::PayloadMemory& memory) noexcept : memory_{memory} {}
  /// The route of a service, made at the first call. Null without memory.
  std::shared_ptr<ServiceRoute> open(std::string_view name);
  std::shared_ptr<ServiceRoute> find(std::string_view name) const;
  /// As base::for_each_unlocked.
  void for_each(const std::function<void(ServiceRoute&)>& visit) const;
  [[nodiscard]] std::size_t size() const;

 private:
  void prune() noexcept;

  /// Beyond so many routes those are looked for that only peers made, which have gone.
  static constexpr std::size_t routes_kept = 4096;

  wire::PayloadMemory& memory_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<ServiceRoute>, std::less<>> routes_;
  std::size_t prune_at_ = routes_kept;  ///< twice what was left last time
};

}  // namespace midplane::inline v0::call
