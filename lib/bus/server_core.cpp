#include "bus/description.hpp"
#include "bus/errand.hpp"
#include "bus/far_side.hpp"
#include "bus/sender.hpp"
#include "mailbox/runner.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::detail {

/// The inside of a Server.
class [[gnu::visibility("hidden")]] ServerCore final : public Part {
 public:
  ServerCore(std::shared_ptr<BusCore> owner, std::shared_ptr<call::ServiceRoute> served, wire::DepotLease& depot)
      : sender{depot.memory(), depot.take(), false, owner->limits.message_bytes_max},
        bus{std::move(owner)},
        route{std::move(served)},
        id{bus->next_id()} {}
  ~ServerCore() override {
    end();
    bus->dismiss(*this);
    if (run) run->unref();
  }

  void end() noexcept {
    if (bus->is_inherited() || ended_.exchange(true) || !run) return;
    route->remove(id);
    if (is_offered) bus->far_side->withdraw(route->name()->text);
    run->close(DropReason::unsubscribed);
    route->condition.changed(*bus->executor);
    if (bus->inside_handler()) return;
    const exec::Waiting waiting{nullptr};
    run->wait_stopped(Duration::max());
  }
  void refuse_new() noexcept override {}
  void begin_close() noexcept override {
    if (run) run->close(DropReason::closed);
  }
  [[nodiscard]] mailbox::Runner* runner() noexcept override { return run; }
  void add_to(Stats& stats) const override {
    if (run) merge(stats, run->stats("server"));
  }
  void describe(Description& all) const override {
    if (ended_.load() || !run) return;
    all.services.push_back({route->name()->text, describe_type(*question), describe_type(*answer), 1,
                            describe_counts(run->stats("server"))});
  }

  Sender sender;
  const std::shared_ptr<BusCore> bus;
  const std::shared_ptr<call::ServiceRoute> route;
  const std::uint32_t id;
  mailbox::Runner* run = nullptr;
  bool is_offered = false;  ///< to peers, and counted there
  const TypeInfo* question = nullptr;
  const TypeInfo* answer = nullptr;
  std::atomic<bool> told_unsendable{false};

 private:
  std::atomic<bool> ended_{false};
};

namespace {

wire::Extra& extra_of(const AnyMessage& request) noexcept { return *wire::envelope_of(request)->extra; }

/// The interceptors around one request served.
std::optional<Error> enter(BusCore& bus, const AnyMessage& request, const Crossing& crossing) noexcept {
  static_cast<void>(request);
  for (std::size_t i = 0; i < bus.interceptors.size(); ++i) {
    const auto refused = bus.interceptors[i]->enter(crossing).refused();
    if (!refused) continue;
    const Error error{*refused, "an interceptor of the server refused the request"};
    while (i-- > 0) bus.interceptors[i]->leave(crossing, &error);
    return error;
  }
  return std::nullopt;
}

}  // namespace

Result<std::shared_ptr<ServerCore>> serve(const std::shared_ptr<BusCore>& core, std::string_view service,
                                          const TypeInfo& question, const TypeInfo& answer,
                                          bool (*verify)(std::span<const std::byte>) noexcept, RawHandler handler,
                                          Queue default_queue, ServeOptions options) try {
  if (core->refuses()) return closed_handle();
  Queue queue = options.queue.over(default_queue);
  queue.overflow = Overflow::drop_newest;
  if (queue.messages == 0 || queue.messages > mailbox::bound_messages_max || queue.bytes == 0 ||
      queue.bytes > mailbox::bound_bytes_max)
    return Error{ErrorCode::invalid_option, "ServeOptions::queue is 1 to 8388608 messages and 1 to 512 GiB"};
  if (options.concurrency == 0 || options.concurrency > 1024)
    return Error{ErrorCode::invalid_option, "ServeOptions::concurrency is 1 to 1024"};
  auto route = core->services->open(service);
  if (!route) return Error{ErrorCode::no_memory, "no memory for another service"};
  if (auto stated = route->state_types(question, answer); !stated) return stated.error();
  wire::DepotLease depot{*core->memory};
  if (!depot) return Error{ErrorCode::no_memory, "no memory for another server"};
  auto server = base::make_unforked<ServerCore>(core, std::move(route), depot);
  server->question = &question;
  server->answer = &answer;
  core->verdicts.remember(question);
  core->verdicts.remember(answer);
  core->far_side->services.stated(service);

  mailbox::RunnerOptions runner;
  runner.bus = core.get();
  runner.name = std::string{service};
  runner.queue = queue;
  runner.concurrency = options.concurrency;
  runner.executor = options.executor ? options.executor : core->executor;
  runner.clock = core->clock;
  runner.verify = verify;
  runner.threw = [bus = core.get()](std::string_view name, std::string_view what) { bus->handler_threw(name, what); };
  runner.handler = [weak = std::weak_ptr{server}, handler = std::move(handler)](AnyMessage& message) mutable {
    auto self = weak.lock();
    if (!self) return;
    extra_of(message).server = self->bus;
    if (self->bus->interceptors.empty()) return handler(message, std::move(self));
    const wire::Extra& extra = extra_of(message);
    const Crossing crossing{CrossingKind::serve, message.topic(), message.headers(), message.peer(), 1,
                            remaining(message)};
    if (auto refused = enter(*self->bus, message, crossing))
      return extra.return_address->fail(extra.correlation, *refused);
    const auto leave = [&](const Error* error) {
      const auto& interceptors = self->bus->interceptors;
      for (auto it = interceptors.rbegin(); it != interceptors.rend(); ++it) (*it)->leave(crossing, error);
    };
    try {
      handler(message, self);
    } catch (...) {
      const Error error = handler_threw();
      leave(&error);
      throw;
    }
    leave(nullptr);
  };
  server->run = new mailbox::Runner{std::move(runner)};
  core->enrol(server);
  server->route->add(call::NearServer{server->id, server->run});
  server->route->condition.changed(*core->executor);
  const auto told = core->far_side->offer(service, question, answer);
  server->is_offered = true;
  if (!told) return told.error();
  return server;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for another server"};
}

ServerHandle& ServerHandle::operator=(ServerHandle&& other) noexcept {
  if (this == &other) return *this;
  if (core_) core_->end();
  core_ = std::move(other.core_);
  return *this;
}

ServerHandle::~ServerHandle() {
  if (core_) core_->end();
}

SinkStats stats_of(ServerCore* core) { return core && !core->bus->is_inherited() ? core->run->stats("server") : SinkStats{}; }

Duration remaining(const AnyMessage& request) noexcept {
  if (!request || cancelled(request)) return Duration{0};
  const wire::Extra& extra = extra_of(request);
  const auto bus = std::static_pointer_cast<BusCore>(extra.server.lock());
  return bus ? std::max(Duration{0}, extra.deadline - bus->clock->now()) : Duration{0};
}

namespace {

/// In a child of the process that was asked: the way back is not to be touched.
bool is_inherited(const AnyMessage& request) noexcept {
  const auto bus = std::static_pointer_cast<BusCore>(extra_of(request).server.lock());
  return bus && bus->is_inherited();
}

}  // namespace

bool cancelled(const AnyMessage& request) noexcept {
  return !request || is_inherited(request) || extra_of(request).return_address->cancelled(extra_of(request).correlation);
}

void when_cancelled(const AnyMessage& request, Function<void()> fn) {
  if (!request || is_inherited(request)) return fn();
  wire::Extra& extra = extra_of(request);
  extra.return_address->when_cancelled(extra.correlation, [weak = extra.server, fn = std::move(fn)]() mutable {
    if (const auto bus = std::static_pointer_cast<BusCore>(weak.lock())) guarded(*bus, "on_cancel", fn);
  });
}

Error handler_threw() noexcept { return {ErrorCode::handler_failed, Fate::failed, "the handler threw"}; }

Duty& Duty::operator=(Duty&& other) noexcept {
  if (this == &other) return *this;
  if (request_) static_cast<void>(fail({ErrorCode::abandoned, Fate::failed, "the handler dropped its Responder"}));
  request_ = std::move(other.request_);
  server_ = std::move(other.server_);
  return *this;
}

void Duty::threw() noexcept {
  if (!server_) return;
  guarded(*server_->bus, server_->route->name()->text, [] { std::rethrow_exception(std::current_exception()); });
  if (request_) static_cast<void>(fail(handler_threw()));
}

void Duty::unsendable(const Error& why) const noexcept {
  if (server_->bus->is_inherited()) return;
  server_->bus->reply_unsendable(server_->route->name()->text, why, !server_->told_unsendable.exchange(true));
}

Duty::~Duty() {
  if (!request_) return;
  // An exception on its way out of the handler takes the Responder along: that is no forgotten answer.
  static_cast<void>(fail(std::uncaught_exceptions() > 0
                             ? handler_threw()
                             : Error{ErrorCode::abandoned, Fate::failed, "the handler dropped its Responder"}));
}

Sender& Duty::sender() const noexcept { return server_->sender; }

Result<void> Duty::reply(Draft& draft) noexcept {
  auto finished = draft.finish();
  if (!finished) {
    unsendable(finished.error());
    static_cast<void>(fail(finished.error().with_fate(Fate::failed)));
    return finished.error();
  }
  auto* envelope = static_cast<wire::Envelope*>(*finished);
  envelope->kind = wire::Kind::reply;
  envelope->name = wire::envelope_of(request_)->name;
  wire::Extra& extra = extra_of(request_);
  extra.return_address->reply(extra.correlation, envelope);
  request_ = AnyMessage{};
  return ok();
}

Result<void> Duty::fail(const Error& error) noexcept {
  if (is_inherited(request_)) {
    static_cast<void>(request_.disown());  // the asker gets its answer from the parent
    return closed_handle();
  }
  wire::Extra& extra = extra_of(request_);
  extra.return_address->fail(extra.correlation, error);
  request_ = AnyMessage{};
  return ok();
}

Result<Streamed> Duty::send(Draft& draft) noexcept {
  auto finished = draft.finish();
  if (!finished) {
    unsendable(finished.error());
    return finished.error();
  }
  auto* envelope = static_cast<wire::Envelope*>(*finished);
  envelope->kind = wire::Kind::reply;
  envelope->name = wire::envelope_of(request_)->name;
  wire::Extra& extra = extra_of(request_);
  const wire::ItemSent sent = extra.return_address->item(extra.correlation, envelope);
  if (sent == wire::ItemSent::queued) return Streamed::queued;
  release(envelope);
  return sent == wire::ItemSent::no_credit ? Streamed::no_credit : Streamed::gone;
}

void Duty::when_writable(Function<void()> fn) {
  if (!request_ || is_inherited(request_)) return fn();
  wire::Extra& extra = extra_of(request_);
  extra.return_address->when_writable(
      extra.correlation, [server = server_, fn = std::move(fn)]() mutable { guarded(*server->bus, server->route->name()->text, fn); });
}

void Duty::go_on_later(Function<void()> fn) {
  if (!request_ || is_inherited(request_) || !server_->run) return fn();
  const std::shared_ptr<Executor> executor = server_->run->drainer();
  // What nobody drives would keep the bus, which keeps it.
  if (!executor || executor->is_driven()) return fn();
  post(*executor, *server_->bus, "stream", [server = server_, fn = std::move(fn)](BusCore*) mutable {
    guarded(*server->bus, server->route->name()->text, fn);
  });
}

Result<void> Duty::finish() noexcept {
  if (is_inherited(request_)) return fail(closed_handle());
  wire::Extra& extra = extra_of(request_);
  extra.return_address->reply(extra.correlation, nullptr);
  request_ = AnyMessage{};
  return ok();
}

}  // namespace midplane::inline v0::detail

namespace midplane::inline v0 {

Error app_error(std::int32_t code, std::string_view text) {
  return Error{ErrorCode::app_error, Fate::failed, "the server answered with an error of its own"}.with(text).with_app_code(
      code);
}

}  // namespace midplane::inline v0
