#include "bus/client_core.hpp"

#include <algorithm>

#include <midplane/policy/in_turn.hpp>

#include "bus/errand.hpp"
#include "bus/far_side.hpp"
#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {
namespace {

call::Call& call_of(void* call) noexcept { return *static_cast<call::Call*>(call); }

/// In a child of the process that asked a call is never answered, and the correlator is not to be touched.
bool is_inherited(const std::shared_ptr<ClientCore>& client) noexcept { return client && client->bus->is_inherited(); }

/// A continuation of the user's: inside a handler, and what it throws harms nobody.
template <class F>
void continue_in(const std::shared_ptr<ClientCore>& client, F&& fn) noexcept {
  const std::shared_ptr<ClientCore> keep = client;  // `fn` may end the handle that holds it
  const mailbox::HandlerFrame frame{keep->bus.get()};
  guarded(*keep->bus, keep->asker->route().name()->text, fn);
}

}  // namespace

Result<std::shared_ptr<ClientCore>> make_client(const std::shared_ptr<BusCore>& core, std::string_view service,
                                                const TypeInfo& question, const TypeInfo& answer,
                                                ServiceDefaults defaults, ClientOptions options) try {
  if (core->refuses()) return closed_handle();
  const Duration timeout = options.timeout.value_or(defaults.timeout);
  if (timeout.count() <= 0) return Error{ErrorCode::invalid_option, "ClientOptions::timeout is above zero"};
  if (options.pending == 0 || options.pending > call::pending_max_limit)
    return Error{ErrorCode::invalid_option, "ClientOptions::pending is 1 to 65536"};
  if (std::any_of(options.interceptors.begin(), options.interceptors.end(), [](const auto& one) { return !one; }))
    return Error{ErrorCode::invalid_option, "ClientOptions::interceptors holds a null one"};
  auto route = core->services->open(service);
  if (!route) return Error{ErrorCode::no_memory, "no memory for another service"};
  if (auto stated = route->state_types(question, answer); !stated) return stated.error();
  core->verdicts.remember(question);
  core->verdicts.remember(answer);
  core->far_side->services.stated(service);
  wire::DepotLease depot{*core->memory};
  if (!depot) return Error{ErrorCode::no_memory, "no memory for another client"};
  call::AskerOptions asker;
  asker.route = std::move(route);
  asker.executor = core->executor;
  asker.clock = core->clock;
  asker.balancer = options.balancer ? options.balancer : in_turn();
  asker.interceptors = std::move(options.interceptors);
  asker.counters = core->calls;
  asker.pending_max = options.pending;
  asker.why_nobody = [weak = std::weak_ptr{core}] {
    const auto bus = weak.lock();
    return bus && !bus->refuses() ? bus->not_reached() : std::string{};
  };
  if (options.wait_for_peers) {
    asker.still_reaching = [weak = std::weak_ptr{core}] {
      const auto bus = weak.lock();
      return bus && !bus->refuses() && bus->still_reaching();
    };
  }
  auto client = base::make_unforked<ClientCore>(core, depot, timeout, std::move(asker));
  client->streams = defaults.streaming;
  core->enrol(client);
  return client;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for another client"};
}

Sender& sender_of(ClientCore& core) noexcept { return core.sender; }

PendingHandle request(const std::shared_ptr<ClientCore>& core, Draft& draft, const RequestOptions& options,
                      bool streaming) noexcept {
  auto finished = draft.finish();
  if (!finished) return PendingHandle{finished.error()};
  auto* envelope = static_cast<wire::Envelope*>(*finished);
  const Duration timeout = options.timeout.value_or(core->timeout);
  const bool refuses = core->refuses.load(std::memory_order_acquire) && !core->bus->goes_on_here();
  Result<void> valid = refuses ? Result<void>{closed_handle()} : apply_headers(*envelope, options.headers);
  if (valid && timeout.count() <= 0) valid = Error{ErrorCode::expired, "the deadline has passed already; RequestOptions::timeout is above zero"};
  if (valid && core->streams && !streaming)
    valid = Error{ErrorCode::unsupported, "this service streams its replies; ask with open()"}.with(core->asker->route().name()->text);
  if (!valid) {
    release(envelope);
    return PendingHandle{valid.error()};
  }
  auto call = core->asker->ask(envelope, timeout, streaming);
  if (core->refuses.load(std::memory_order_relaxed)) core->bus->has_gone_on();
  if (!call) return PendingHandle{call.error()};
  return PendingHandle{core, *call};
}

Result<void> wait_server(ClientCore& core, Duration duration) {
  if (core.bus->is_inherited()) return closed_handle();
  call::ServiceRoute& route = core.asker->route();
  auto waited = route.condition.wait(*core.bus->executor, *core.bus->clock, duration,
                                     [&] { return route.has_server() || core.bus->refuses(); });
  if (waited && core.bus->refuses()) return closed_handle();
  return explain_wait(*core.bus, std::move(waited), "nobody has offered this service within the duration");
}

void when_server(ClientCore& core, Function<void(Result<void>)> fn) {
  if (core.bus->is_inherited()) return fn(closed_handle());
  call::ServiceRoute& route = core.asker->route();
  BusCore* bus = core.bus.get();
  route.condition.when([&route, bus] { return route.has_server() || bus->refuses(); },
                       [bus, fn = std::move(fn)]() mutable {
                         post(*bus, "server", [fn = std::move(fn)](BusCore* here) mutable { fn(is_ready_unless_closed(here)); });
                       });
}

Policy policy_of(const ClientCore& core) noexcept { return Policy{core.timeout, 1}; }

PendingHandle& PendingHandle::operator=(PendingHandle&& other) noexcept {
  if (this == &other) return *this;
  drop();
  client_ = std::move(other.client_);
  call_ = std::exchange(other.call_, nullptr);
  error_ = std::move(other.error_);
  return *this;
}

PendingHandle::~PendingHandle() { drop(); }

void PendingHandle::drop() noexcept {
  if (call_ && !is_inherited(client_)) client_->asker->correlator().drop(call_of(std::exchange(call_, nullptr)));
}

bool PendingHandle::ready() const noexcept {
  return !call_ || is_inherited(client_) || client_->asker->correlator().settled(call_of(call_));
}

/// Of a handle without a call: it gave its outcome away, or never had one.
Error PendingHandle::nothing_left() const noexcept {
  if (error_) return *error_;
  if (!client_ || is_inherited(client_)) return closed_handle();
  return {ErrorCode::closed, "the outcome was taken already: a reply is given once, and an ended stream has no more items"};
}

Result<AnyMessage> PendingHandle::outcome() noexcept {
  call::Outcome outcome = client_->asker->correlator().finish(call_of(std::exchange(call_, nullptr)));
  if (outcome.error) return std::move(*outcome.error);
  return std::move(outcome.reply);
}

Result<AnyMessage> PendingHandle::get() noexcept {
  if (error_ || !call_ || is_inherited(client_)) return nothing_left();
  call::Correlator& calls = client_->asker->correlator();
  call::Call& call = call_of(call_);
  if (!calls.settled(call)) {
    const exec::Waiting waiting{&calls.executor()};
    if (!waiting) return exec::would_deadlock();
    while (!calls.settled(call)) calls.sleep(call, Instant::never());
  }
  return outcome();
}

void PendingHandle::then(Function<void(Result<AnyMessage>)> fn) {
  if (error_ || !call_ || is_inherited(client_)) return fn(nothing_left());
  // From here on the continuation holds the call; it ends it when it runs.
  auto self = std::make_shared<PendingHandle>(std::move(*this));
  call::Correlator& calls = self->client_->asker->correlator();
  call::Call& call = call_of(self->call_);
  calls.when_settled(call, [self = std::move(self), fn = std::move(fn)]() mutable {
    continue_in(self->client_, [&] { fn(self->outcome()); });
  });
}

void PendingHandle::when_settled(Function<void(Result<AnyMessage>)> fn) {
  if (error_ || !call_ || is_inherited(client_)) return fn(nothing_left());
  client_->asker->correlator().when_settled(call_of(call_),
                                            [this, fn = std::move(fn)]() mutable {
                                              continue_in(client_, [&] { fn(outcome()); });
                                            });
}

Result<std::optional<AnyMessage>> PendingHandle::next(Duration duration) noexcept {
  if (error_ || !call_ || is_inherited(client_)) return nothing_left();
  call::Correlator& calls = client_->asker->correlator();
  call::Call& call = call_of(call_);
  const Instant until = calls.clock().now() + duration;
  while (true) {
    if (AnyMessage item = calls.next_item(call)) return std::optional<AnyMessage>{std::move(item)};
    if (calls.settled(call)) {
      if (AnyMessage item = calls.next_item(call)) return std::optional<AnyMessage>{std::move(item)};
      if (auto ended = outcome(); !ended) return (error_ = ended.error(), ended.error());
      return std::optional<AnyMessage>{};
    }
    if (calls.clock().now() >= until) {
      constexpr const char* text = "no item came within the duration; the stream goes on";
      if (duration <= Duration{0}) return Error{ErrorCode::timed_out, Fate::not_started, text};  // who polls is told shortly
      return too_late(*client_->bus, text);
    }
    const exec::Waiting waiting{&calls.executor()};
    if (!waiting) return exec::would_deadlock();
    calls.sleep(call, until);
  }
}

void PendingHandle::when_next(Function<void(Result<std::optional<AnyMessage>>)> fn) {
  if (error_ || !call_ || is_inherited(client_)) return fn(nothing_left());
  client_->asker->correlator().when_settled(call_of(call_),
                                            [this, fn = std::move(fn)]() mutable {
                                              continue_in(client_, [&] { fn(next(Duration{0})); });
                                            });
}

}  // namespace midplane::inline v0::detail
