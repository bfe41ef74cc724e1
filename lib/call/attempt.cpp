#include <algorithm>

#include "call/asker.hpp"

namespace midplane::inline v0::call {

Asker::Asker(AskerOptions options)
    : options_{std::move(options)},
      correlator_{new Correlator{options_.executor, options_.clock, options_.pending_max, options_.counters,
                                 options_.why_nobody}} {}

Asker::~Asker() {
  for (const Server& server : servers_) {
    if (!server.runner) continue;
    server.runner->close_lane(*server.lane);
    server.runner->unref();
  }
  correlator_->retire();
}

void Asker::close() noexcept {
  correlator_->close();
  options_.route->condition.changed(*options_.executor);
}

Result<Call*> Asker::ask(wire::Envelope* request, Duration timeout, bool streaming) noexcept {
  if (correlator_->closed()) {
    detail::release(request);
    return Error{ErrorCode::closed, "the bus or the client is closed"};
  }
  const Instant deadline = options_.clock->now() + timeout;
  const Result<Call*> opened = correlator_->open(deadline, streaming);
  if (!opened) {
    detail::release(request);
    return opened.error();
  }
  Call* const call = *opened;
  options_.counters->sent.fetch_add(1, std::memory_order_relaxed);
  if (correlator_->closed()) {  // closed since: its scan may have missed this one
    correlator_->fail(correlator_->id_of(*call), Error{ErrorCode::closed, "the bus or the client is closed"});
    correlator_->unref();
    detail::release(request);
    return call;
  }
  wire::Extra& extra = *request->extra;
  extra.deadline = deadline;
  extra.return_address = correlator_;
  extra.correlation = correlator_->id_of(*call);
  request->kind = wire::Kind::request;
  request->name = options_.route->name();
  if (auto refused = enter(*call, *request)) {
    correlator_->fail(extra.correlation, *refused);
    detail::release(request);
  } else {
    attempt(*call, request);
  }
  return call;
}

/// All movement of a request. Whoever takes it answers it; what nobody takes is answered here.
void Asker::attempt(Call& call, wire::Envelope* request) noexcept {
  const std::uint64_t id = request->extra->correlation;
  std::pair<mailbox::Runner*, mailbox::Lane*> wake{};
  const Moved moved = offer_to_one(call, request, wake);
  if (wake.first) {
    wake.first->list(*wake.second);
    wake.first->unref();
  }
  if (moved == Moved::taken) return;
  if (moved == Moved::nobody) {
    if (const auto refusal = options_.route->refusal()) {
      correlator_->fail(id, *refusal);
      return detail::release(request);
    }
  }
  if (moved == Moved::nobody && options_.still_reaching && options_.still_reaching())
    return wait_for_server(call, request);
  const Error busy{ErrorCode::busy, "every server's queue is full; try again later"};
  correlator_->fail(id, moved == Moved::nobody ? nobody() : busy.with(options_.route->name()->text));
  detail::release(request);
}

Error Asker::nobody() const noexcept {
  const Error error{ErrorCode::no_server, "nobody serves this name; start a server or check the name"};
  try {
    const std::string why = options_.why_nobody ? options_.why_nobody() : std::string{};
    return error.with(std::string{options_.route->name()->text} + (why.empty() ? "" : "; ") + why);
  } catch (const std::bad_alloc&) {
    return error;
  }
}

Asker::Moved Asker::offer_to_one(Call& call, wire::Envelope* request,
                                 std::pair<mailbox::Runner*, mailbox::Lane*>& wake) noexcept {
  const std::lock_guard lock{flag_};
  if (version_ != options_.route->version()) renew();
  if (servers_.empty()) return Moved::nobody;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const Server& server = servers_[i];
    candidates_[i].tried = server.runner && server.runner->closing();
    // Each call that went to a far server holds it until it has ended; so does the list of servers.
    if (servers_.size() > 1)
      candidates_[i].waiting = server.runner ? server.runner->waiting() : static_cast<std::uint64_t>(server.far.use_count()) - 1;
  }
  while (true) {
    const std::size_t at = options_.balancer->pick(candidates_);
    if (at >= servers_.size() || candidates_[at].tried) return Moved::all_full;
    Server& server = servers_[at];
    candidates_[at].tried = true;
    if (server.far) {
      correlator_->went_to(call, server.far);
      correlator_->left(call, true);
      if (server.far->offer(*request) != wire::Offer::taken) {
        correlator_->left(call, false);
        continue;
      }
      detail::release(request);
      return Moved::taken;
    }
    if (!server.lane->reserve(request->size)) continue;
    correlator_->left(call, true);
    if (server.lane->push(request)) {
      server.runner->ref();
      wake = {server.runner, server.lane};
    }
    return Moved::taken;
  }
}

/// Nobody yet, but peers are still being reached: the request waits, within its deadline, for who serves it.
void Asker::wait_for_server(Call& call, wire::Envelope* request) noexcept {
  const std::uint64_t id = request->extra->correlation;
  auto self = shared_from_this();
  // Its end, by deadline or cancel, ends the waiting: what waits stays within the pending limit.
  correlator_->when_cancelled(id, [self] { self->options_.route->condition.changed(*self->options_.executor); });
  options_.route->condition.when(
      [self, id] {
        return self->options_.route->has_server() || !self->options_.still_reaching() ||
               self->correlator_->cancelled(id);
      },
      [self, id, &call, request] {
        if (!self->correlator_->cancelled(id)) return self->attempt(call, request);
        detail::release(request);
      });
}

std::optional<Error> Asker::enter(Call& call, const wire::Envelope& request) noexcept {
  if (options_.interceptors.empty()) return std::nullopt;
  const Crossing crossing{CrossingKind::request, request.name->text, request.extra->headers, {}, 1,
                          request.extra->deadline - options_.clock->now()};
  for (std::size_t i = 0; i < options_.interceptors.size(); ++i) {
    const auto refused = options_.interceptors[i]->enter(crossing).refused();
    if (!refused) continue;
    const Error error{*refused, "an interceptor refused the request"};
    while (i-- > 0) options_.interceptors[i]->leave(crossing, &error);
    return error;
  }
  correlator_->when_ended(call, [interceptors = options_.interceptors, name = request.name](const Error* error) {
    const Crossing ended{CrossingKind::request, name->text, nullptr, {}, 1, {}};
    for (auto it = interceptors.rbegin(); it != interceptors.rend(); ++it) (*it)->leave(ended, error);
  });
  return std::nullopt;
}

void Asker::renew() {
  std::vector<NearServer> near;
  std::vector<std::shared_ptr<wire::Sink>> far;
  version_ = options_.route->read(near, far);
  std::vector<Server> old = std::move(servers_);
  servers_.clear();
  for (const NearServer& server : near) {
    const auto kept = std::find_if(old.begin(), old.end(), [&server](const Server& s) { return s.runner == server.runner; });
    if (kept != old.end()) {
      servers_.push_back(std::move(*kept));
      old.erase(kept);
      server.runner->unref();
    } else if (mailbox::Lane* lane = server.runner->open_lane(this)) {
      servers_.push_back({server.runner, lane, server.id, nullptr});
    } else {
      server.runner->unref();
      version_ = 0;
    }
  }
  for (const Server& gone : old) {
    if (!gone.runner) continue;
    gone.runner->close_lane(*gone.lane);
    gone.runner->unref();
  }
  for (auto& sink : far) {
    // Of the old ones the counts stay; a new one gets a count of this client's own beside the sink's.
    const auto kept = std::find_if(old.begin(), old.end(), [&sink](const Server& s) { return s.far == sink; });
    if (kept != old.end()) servers_.push_back(std::move(*kept));
    else servers_.push_back({nullptr, nullptr, 0, {std::make_shared<std::shared_ptr<wire::Sink>>(sink), sink.get()}});
  }
  candidates_.clear();
  for (const Server& server : servers_) candidates_.push_back({server.far ? server.far->peer() : std::string_view{}, 0, false});
}

}  // namespace midplane::inline v0::call
