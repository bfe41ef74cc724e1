#include "bus/bus_core.hpp"

#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "bus/describe.hpp"
#include "bus/description.hpp"
#include "bus/far_side.hpp"
#include "mailbox/frame.hpp"

namespace midplane::inline v0 {

std::uint32_t library_version() noexcept { return header_version; }

namespace detail {
namespace {

std::string hex(const std::uint64_t high, const std::uint64_t low) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

Result<void> validate(const BusOptions& options) {
  if (options.name == "_midplane")
    return Error{ErrorCode::invalid_option, "BusOptions::name: _midplane is the library's own; choose another"};
  if (options.name.size() > name_bytes_max) return Error{ErrorCode::invalid_option, "BusOptions::name has at most 255 bytes"};
  if (!options.name.empty()) {
    if (auto fault = check_name(options.name, false); fault != NameFault::none || options.name.find('.') != std::string::npos)
      return Error{ErrorCode::invalid_option, "BusOptions::name is one token of A-Z a-z 0-9 _ -; see escape_token()"}.with(
          shown_name(options.name));
  }
  if (options.limits.message_bytes_max < 64 || options.limits.message_bytes_max > (std::size_t{1} << 30))
    return Error{ErrorCode::invalid_option, "Limits::message_bytes_max is 64 bytes to 1 GiB"};
  if (options.limits.payload_memory_bytes_max < (std::size_t{1} << 16))
    return Error{ErrorCode::invalid_option, "Limits::payload_memory_bytes_max is at least 64 KiB"};
  if (options.wait > Wait::yield) return Error{ErrorCode::invalid_option, "BusOptions::wait is one of Wait"};
  if (std::any_of(options.interceptors.begin(), options.interceptors.end(), [](const auto& one) { return !one; }))
    return Error{ErrorCode::invalid_option, "BusOptions::interceptors holds a null one"};
  if (options.heartbeat < std::chrono::milliseconds{10} || options.heartbeat > std::chrono::seconds{60})
    return Error{ErrorCode::invalid_option, "BusOptions::heartbeat is 10 ms to 60 s"};
  if (options.redial_max < link::redial_min || options.redial_max > std::chrono::hours{1})
    return Error{ErrorCode::invalid_option, "BusOptions::redial_max is 50 ms to 1 hour"};
  return ok();
}

}  // namespace

Result<std::shared_ptr<BusCore>> BusCore::make(BusOptions options) {
  if (auto valid = validate(options); !valid) return valid.error();
  std::shared_ptr<BusCore> core{new BusCore, base::DeleteWhereMade{}};
  core->name = options.name;
  core->clock = options.clock ? options.clock : steady_clock();
  core->random = options.random ? options.random : system_random();
  core->limits = options.limits;
  core->heartbeat = options.heartbeat;
  core->redial_max = options.redial_max;
  core->wait = options.wait;
  core->log_sink = std::move(options.log);
  core->event_sink = std::move(options.event);
  core->interceptors = std::move(options.interceptors);
  core->memory = wire::PayloadMemory::make(options.memory ? options.memory : std::pmr::new_delete_resource(),
                                           options.limits.payload_memory_bytes_max);
  if (!core->memory) return Error{ErrorCode::no_memory, "no memory for a bus"};
  if (options.executor) {
    core->executor = options.executor;
  } else {
    auto pool = pool_executor({.threads = 0,
                               .wait = options.wait,
                               .clock = core->clock,
                               .thread_started = std::move(options.thread_started)});
    if (!pool) return pool.error();
    core->executor = std::move(*pool);
    core->own_executor = true;
  }
  core->topics = std::make_unique<route::Topics>(*core->memory);
  core->services = std::make_unique<call::Services>(*core->memory);
  core->far_side = std::make_unique<FarSide>(*core);
  core->incarnation = hex(core->far_side->incarnation().high, core->far_side->incarnation().low);
  // In containers every process may have the same number.
  if (core->name.empty()) core->name = "bus-" + std::to_string(::getpid()) + "-" + core->incarnation.substr(0, 12);
  return core;
}

BusCore::~BusCore() {
  if (phase.load() != Phase::closed) close(std::chrono::seconds{5});
  else if (!finished_.load()) finish_close(base::steady_now() + std::chrono::seconds{5});
  join_closer();
  topics.reset();
  services.reset();
  links.reset();
  far_side.reset();
  for (mailbox::Mailbox* box : leaving_) box->unref();
  if (memory) memory->abandon();
}

void BusCore::enrol(const std::shared_ptr<Part>& part) {
  const std::lock_guard lock{mutex_};
  parts_[part.get()] = part;
}

void BusCore::dismiss(Part& part) noexcept try {
  const std::lock_guard lock{mutex_};
  if (parts_.erase(&part) != 0) part.add_to(ended_);
} catch (const std::bad_alloc&) {
  counters_lost();
}

void BusCore::dismiss(Part& part, mailbox::Mailbox& box) noexcept {
  bool is_lost = false;
  {
    const std::lock_guard lock{mutex_};
    const auto settle = [&](mailbox::Mailbox* left) {
      if (!left->is_last_reference()) return false;
      try {
        merge(ended_, left->stats("subscription"));
      } catch (const std::bad_alloc&) {
        is_lost = true;
      }
      left->unref();
      return true;
    };
    std::erase_if(leaving_, settle);
    if (parts_.erase(&part) == 0) {
      box.unref();
    } else if (!settle(&box)) {
      try {
        leaving_.push_back(&box);
      } catch (const std::bad_alloc&) {
        is_lost = true;
        box.unref();
      }
    }
  }
  if (is_lost) counters_lost();
}

void BusCore::counters_lost() const noexcept {
  log(LogLevel::error, "bus.counters_lost", "no memory to keep the counters of what has ended: its losses stand in no sum any more",
      "free memory", {});
}

void BusCore::keep_own(std::shared_ptr<ServerCore> server) {
  const std::lock_guard lock{mutex_};
  own_.push_back(std::move(server));
}

std::vector<std::shared_ptr<Part>> BusCore::parts() const {
  std::vector<std::shared_ptr<Part>> alive;
  const std::lock_guard lock{mutex_};
  for (const auto& [address, weak] : parts_) {
    if (auto part = weak.lock()) alive.push_back(std::move(part));
  }
  return alive;
}

void BusCore::log(LogLevel level, std::string_view code, std::string_view message, std::string_view action,
                  std::initializer_list<LogField> fields) const noexcept {
  if (!log_sink) return;
  base::WakesLater::now();  // the user's code may wait for who sleeps
  log_sink->log({level, code, message, action, {fields.begin(), fields.size()}});
}

void BusCore::event(EventKind kind, std::string_view about, std::string_view detail) const noexcept {
  if (!event_sink) return;
  Event event{};
  event.kind = kind;
  event.name = about;
  event.detail = detail;
  event.at = clock->now();
  tell(event);
}

void BusCore::tell(const Event& event) const noexcept {
  if (!event_sink) return;
  base::WakesLater::now();
  event_sink->event(event);
}

void BusCore::handler_threw(std::string_view about, std::string_view what) noexcept {
  handler_exceptions_.fetch_add(1, std::memory_order_relaxed);
  log(LogLevel::error, "bus.handler_failed", "a handler or a callback threw; a message that it was given counts as dropped(handler_failed)",
      "catch it in the handler, or answer with fail()", {{"name", about}, {"what", what}});
  event(EventKind::handler_failed, about, what);
}

void BusCore::reply_unsendable(std::string_view service, const Error& why, bool is_first) noexcept {
  replies_unsendable_.fetch_add(1, std::memory_order_relaxed);
  if (!is_first) return;
  log(LogLevel::error, "bus.reply_unsendable", "a handler gave a reply that can not be sent; who asked is told why",
      "reply with all required parts and within Limits; more of this server are counted, not logged",
      {{"service", service}, {"why", why.message()}});
}

bool BusCore::inside_handler() const noexcept { return mailbox::HandlerFrame::inside(this); }

bool BusCore::goes_on_here() const noexcept {
  return phase.load(std::memory_order_acquire) == Phase::draining && !drained_told_.load() && !is_inherited() &&
         mailbox::HandlerFrame::at_work(this);
}

bool BusCore::still_reaching() const noexcept {
  return links && (!links->settled() || far_side->services.are_judging());
}

std::string BusCore::not_reached() const {
  constexpr std::size_t named_max = 4;  // of hundreds the first few tell enough
  std::string text;
  std::size_t found = 0;
  for (const link::PeerInfo& peer : links ? links->peers() : std::vector<link::PeerInfo>{}) {
    if (!peer.dialled || peer.state == link::PeerState::up || ++found > named_max) continue;
    const char* how = peer.state == link::PeerState::reaching ? " is not reached"
                      : peer.state == link::PeerState::lost   ? " is lost"
                                                              : " was refused";
    text.append(found == 1 ? "" : ", ").append(peer.endpoint).append(how);
    if (peer.not_reached) text.append(": ").append(peer.not_reached->text());
  }
  if (found > named_max) text.append(", and ").append(std::to_string(found - named_max)).append(" more");
  return text;
}

void BusCore::peers_changed() noexcept {
  services->for_each([this](call::ServiceRoute& route) { route.condition.changed(*executor); });
  far_side->readiness.changed(*executor);
  if (phase.load() == Phase::draining) look_if_drained();
}

Stats BusCore::stats() const {
  Stats stats;
  if (is_inherited()) return stats;
  {
    const std::lock_guard lock{mutex_};
    stats = ended_;
    for (const mailbox::Mailbox* box : leaving_) merge(stats, box->stats("subscription"));
  }
  stats.bus = name;
  stats.incarnation = incarnation;
  for (const auto& part : parts()) part->add_to(stats);
  if (links) {
    for (const SinkStats& sink : links->stats()) merge(stats, sink);
  }
  stats.requests_sent = calls->sent.load(std::memory_order_relaxed);
  stats.requests_ok = calls->ok.load(std::memory_order_relaxed);
  stats.requests_failed = calls->failed.load(std::memory_order_relaxed);
  const std::uint64_t ended = stats.requests_ok + stats.requests_failed;
  stats.requests_pending = stats.requests_sent > ended ? stats.requests_sent - ended : 0;
  stats.payload_memory_bytes = memory->bytes_used();
  stats.payload_memory_bytes_max = memory->bytes_max();
  stats.handler_exceptions = handler_exceptions_.load(std::memory_order_relaxed);
  return stats;
}

void merge(Stats& stats, const SinkStats& sink) {
  if (sink.name.starts_with(own_prefix)) return;
  const auto key = [](const SinkStats& one) { return std::tie(one.peer, one.kind, one.name); };
  const auto same = std::lower_bound(stats.sinks.begin(), stats.sinks.end(), sink,
                                     [key](const SinkStats& a, const SinkStats& b) { return key(a) < key(b); });
  if (same == stats.sinks.end() || key(*same) != key(sink)) {
    stats.sinks.insert(same, sink);
    return;
  }
  same->offered += sink.offered;
  same->delivered += sink.delivered;
  same->waiting += sink.waiting;
  same->in_transit += sink.in_transit;
  same->refused += sink.refused;
  for (std::size_t i = 0; i < drop_reasons; ++i) same->dropped.by_reason[i] += sink.dropped.by_reason[i];
}

void merge(Stats& stats, const TopicStats& topic) {
  const auto same = std::lower_bound(stats.topics.begin(), stats.topics.end(), topic,
                                     [](const TopicStats& a, const TopicStats& b) { return a.name < b.name; });
  if (same == stats.topics.end() || same->name != topic.name) {
    stats.topics.insert(same, topic);
    return;
  }
  same->published += topic.published;
  same->payload_bytes += topic.payload_bytes;
  if (same->type.empty()) same->type = topic.type;
}

Result<std::shared_ptr<BusCore>> open_bus(BusOptions options, std::uint32_t version) {
  if (version != header_version)
    return Error{ErrorCode::version_mismatch, "the program was built with the headers of another version of the "
                                              "library; rebuild it"};
  return BusCore::make(std::move(options));
}

Result<void> attach(BusCore& core, std::unique_ptr<Transport> transport) {
  if (!transport) return Error{ErrorCode::invalid_option, "attach() needs a transport"};
  if (core.refuses()) return closed_handle();
  if (auto served = serve_descriptions(core.shared_from_this()); !served) return served;
  return core.far_side->attach(std::move(transport));
}

Stats stats_of(const BusCore& core) { return core.stats(); }
std::vector<std::string> listening(const BusCore& core) {
  return core.links && !core.is_inherited() ? core.links->listening() : std::vector<std::string>{};
}
std::string_view name_of(const BusCore& core) noexcept { return core.name; }
Executor& executor_of(BusCore& core) noexcept { return *core.executor; }
Report drain(BusCore& core, Duration duration) { return core.drain(duration); }
Report close(BusCore& core, Duration duration) { return core.close(duration); }

}  // namespace detail

Bus& Bus::operator=(Bus&& other) noexcept {
  if (this == &other) return *this;
  if (core_) static_cast<void>(detail::close(*core_, std::chrono::seconds{5}));
  core_ = std::move(other.core_);
  return *this;
}

Bus::~Bus() {
  if (core_) static_cast<void>(detail::close(*core_, std::chrono::seconds{5}));
}

}  // namespace midplane::inline v0
