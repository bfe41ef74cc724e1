#pragma once
/// The bus: owns every room and makes every handle. One per service; several per process are fine.

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include <midplane/client.hpp>
#include <midplane/executors.hpp>
#include <midplane/extend/clock.hpp>
#include <midplane/extend/event_sink.hpp>
#include <midplane/extend/interceptor.hpp>
#include <midplane/extend/log_sink.hpp>
#include <midplane/extend/random.hpp>
#include <midplane/extend/transport.hpp>
#include <midplane/names.hpp>
#include <midplane/publisher.hpp>
#include <midplane/server.hpp>
#include <midplane/stats.hpp>
#include <midplane/subscription.hpp>
#include <midplane/version.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Everything is bounded; `docs/reliability.md` derives the defaults.
struct Limits {
  std::size_t message_bytes_max = std::size_t{16} << 20;  ///< of one payload, 64 bytes to 1 GiB; larger: `too_large`
  /// Of all payloads of the bus, at least 64 KiB; beyond it `no_memory`.
  std::size_t payload_memory_bytes_max = std::size_t{256} << 20;
};

/// What a bus is made of; every default is fine for a service of its own process.
struct BusOptions {
  /// One token. Peers know the bus by it, also when it comes back: buses that meet have different ones. Empty: one is made
  /// of the process id and chance.
  std::string name{};
  std::shared_ptr<Executor> executor{};      ///< null: a pool of its own, max(2, cores) threads
  std::shared_ptr<Clock> clock{};            ///< null: the steady clock
  std::shared_ptr<Random> random{};          ///< null: the system's
  std::pmr::memory_resource* memory = nullptr;  ///< for payloads; outlives every Message; null: new and delete
  Limits limits{};  ///< bounds of size and memory
  Duration heartbeat{std::chrono::seconds{1}};  ///< of its links, 10 ms to 60 s; a peer silent for three is lost
  /// The longest pause between two dials of an address that nobody answers at, 50 ms to 1 h; the pauses begin at 50 ms.
  Duration redial_max{std::chrono::seconds{5}};
  Wait wait = Wait::sleep;                   ///< how threads of its own do: those of its pool, and of its transports
  std::shared_ptr<LogSink> log{};            ///< null: silent; `stderr_log()` is one
  std::shared_ptr<EventSink> event{};  ///< null: nobody is told
  Function<void(std::size_t index)> thread_started{};  ///< the bus's own pool: first thing on each worker
  std::vector<std::shared_ptr<Interceptor>> interceptors{};  ///< around every publish and every request served
};

namespace detail {

class BusCore;
class TimerCore;

class TimerHandle {
 public:
  TimerHandle() noexcept = default;
  explicit TimerHandle(std::shared_ptr<TimerCore> core) noexcept : core_{std::move(core)} {}
  TimerHandle(TimerHandle&&) noexcept = default;
  TimerHandle& operator=(TimerHandle&& other) noexcept;
  ~TimerHandle();

 private:
  std::shared_ptr<TimerCore> core_;
};

/// A subscription with its types taken away.
struct RawSubscription {
  std::string pattern;
  const TypeInfo* type = nullptr;
  bool (*verify)(std::span<const std::byte>) noexcept = nullptr;
  Queue default_queue{};
  Function<void(AnyMessage&)> handler{};  ///< empty: an inbox
};

Result<std::shared_ptr<BusCore>> open_bus(BusOptions options, std::uint32_t header_version);
Result<void> attach(BusCore& core, std::unique_ptr<Transport> transport);
Result<std::shared_ptr<PublisherCore>> make_publisher(const std::shared_ptr<BusCore>& core, std::string_view topic,
                                                      const TypeInfo& type, PublisherOptions options);
Result<std::shared_ptr<SubscriptionCore>> subscribe(const std::shared_ptr<BusCore>& core, RawSubscription what,
                                                    SubscribeOptions options);
Result<std::shared_ptr<ClientCore>> make_client(const std::shared_ptr<BusCore>& core, std::string_view service,
                                                const TypeInfo& question, const TypeInfo& answer,
                                                ServiceDefaults defaults, ClientOptions options);
Result<std::shared_ptr<ServerCore>> serve(const std::shared_ptr<BusCore>& core, std::string_view service,
                                          const TypeInfo& question, const TypeInfo& answer,
                                          bool (*verify)(std::span<const std::byte>) noexcept, RawHandler handler,
                                          Queue default_queue, ServeOptions options);
std::shared_ptr<TimerCore> start_timer(const std::shared_ptr<BusCore>& core, Duration delay, bool repeat,
                                       Function<void()> fn);
Report drain(BusCore& core, Duration duration);
Report close(BusCore& core, Duration duration);
Stats stats_of(const BusCore& core);
std::vector<std::string> listening(const BusCore& core);
std::string_view name_of(const BusCore& core) noexcept;
Executor& executor_of(BusCore& core) noexcept;

}  // namespace detail

/// Runs once or again and again on the bus's executor, in the bus's time. Dropping it, or assigning another to it, stops it
/// and waits for a call that runs; inside a handler or timer of the same bus it does not wait.
class Timer {
 public:
  Timer() noexcept = default;
  /// Inside.
  explicit Timer(std::shared_ptr<detail::TimerCore> core) noexcept : handle_{std::move(core)} {}

 private:
  detail::TimerHandle handle_;
};

/// Every call may come from any thread, inside a handler too; only moving and destroying it are the caller's to
/// serialise.
class Bus {
 public:
  /// Starts a bus. Errors: invalid_option (names it), version_mismatch (rebuild with the headers of the library),
  /// transport_failed (a thread could not be started).
  [[nodiscard]] static Result<Bus> open(BusOptions options = {}) {
    auto core = detail::open_bus(std::move(options), header_version);
    if (!core) return core.error();
    return Bus{std::move(*core)};
  }
  Bus(Bus&&) noexcept = default;
  Bus& operator=(Bus&& other) noexcept;
  /// close(5 s).
  ~Bus();

  /// Adds a way to other hosts: `attach(zmq::transport({.listen = "tcp://127.0.0.1:7000"}))`. Errors: closed,
  /// invalid_option (also of a transport with no address at all), invalid_endpoint, denied, transport_failed, no_memory.
  Result<void> attach(std::unique_ptr<Transport> transport) {
    return core_ ? detail::attach(*core_, std::move(transport)) : Result<void>{detail::closed_handle()};
  }

  /// Not of a Result, of a name alone, of a function that makes the contract, or of a contract of another kind.
  template <detail::NoTopic W>
  auto publisher(const W&, PublisherOptions = {}) {
    return Result<Publisher<Bytes>>{detail::want_topic<W>()};
  }
  /// As with `publisher`.
  template <detail::NoTopics W, class F>
  auto subscribe(const W&, F&&, SubscribeOptions = {}) {
    return Result<Subscription>{detail::want_topics<W>()};
  }
  /// The handler comes before the options.
  template <class Contract, class F>
  void subscribe(const Contract&, SubscribeOptions, F&&) {
    static_assert(!std::is_same_v<F, F>, "the handler comes before the options: subscribe(topic, handler, {.queue = ...})");
  }
  /// As with `publisher`.
  template <detail::NoTopics W>
  auto inbox(const W&, SubscribeOptions = {}) {
    return Result<Inbox<Bytes>>{detail::want_topics<W>()};
  }
  /// As with `publisher`.
  template <detail::NoService W>
  auto client(const W&, ClientOptions = {}) {
    return Result<Client<Bytes, Bytes>>{detail::want_service<W>()};
  }
  /// As with `publisher`.
  template <detail::NoService W, class F>
  auto serve(const W&, F&&, ServeOptions = {}) {
    return Result<Server>{detail::want_service<W>()};
  }
  /// The handler comes before the options.
  template <class Contract, class F>
  void serve(const Contract&, ServeOptions, F&&) {
    static_assert(!std::is_same_v<F, F>, "the handler comes before the options: serve(service, handler, {.queue = ...})");
  }

  /// A way into one topic. Never blocks. Errors: closed, schema_mismatch (this bus knows the name with another type),
  /// no_memory.
  template <class T>
  Result<Publisher<T>> publisher(const Topic<T>& topic, PublisherOptions options = {}) {
    options.retain |= topic.defaults().retain;
    return make<Publisher<T>>([&] { return detail::make_publisher(core_, topic.name(), Codec<T>::info(), options); });
  }
  /// Names the topic per call and keeps its order across topics.
  Result<AnyPublisher> publisher(PublisherOptions options = {}) {
    return make<AnyPublisher>([&] { return detail::make_publisher(core_, {}, Codec<Bytes>::info(), options); });
  }

  /// `handler(const Message<T>&)` runs on the executor, one call at a time.
  template <class T, class F>
  Result<Subscription> subscribe(const Topic<T>& topic, F&& handler, SubscribeOptions options = {}) {
    return subscribe_to<T>(std::string{topic.name()}, topic.defaults(), std::forward<F>(handler), std::move(options));
  }
  /// The same for every topic that matches, of this bus and of its peers, known now or later.
  template <class T, class F>
  Result<Subscription> subscribe(const Pattern<T>& pattern, F&& handler, SubscribeOptions options = {}) {
    return subscribe_to<T>(std::string{pattern.text()}, pattern.defaults(), std::forward<F>(handler), std::move(options));
  }
  /// A subscription to take from. Never blocks. Errors: invalid_option, closed, no_memory.
  template <class T>
  Result<Inbox<T>> inbox(const Topic<T>& topic, SubscribeOptions options = {}) {
    return inbox_of<T>(std::string{topic.name()}, topic.defaults(), std::move(options));
  }
  /// The same for every topic that matches.
  template <class T>
  Result<Inbox<T>> inbox(const Pattern<T>& pattern, SubscribeOptions options = {}) {
    return inbox_of<T>(std::string{pattern.text()}, pattern.defaults(), std::move(options));
  }

  /// A way to ask. Never blocks; nobody needs to serve yet. Errors: invalid_option, closed, schema_mismatch, no_memory.
  template <class Q, class R>
  Result<Client<Q, R>> client(const Service<Q, R>& service, ClientOptions options = {}) {
    return make<Client<Q, R>>([&] {
      return detail::make_client(core_, service.name(), Codec<Q>::info(), Codec<R>::info(), service.defaults(),
                                 std::move(options));
    });
  }
  /// `handler`: (const Request<Q>&) -> value, Result of one, or the user's task; (Request<Q>, Responder<R>);
  /// (Request<Q>, StreamResponder<R>). Errors: invalid_option, closed, schema_mismatch, no_memory.
  template <class Q, class R, class F>
  Result<Server> serve(const Service<Q, R>& service, F&& handler, ServeOptions options = {}) {
    if (service.defaults().streaming && !detail::streams<Q, R, F>)
      return Error{ErrorCode::invalid_option, "this service streams its replies: its handler takes (Request<Q>, StreamResponder<R>)"};
    return make<Server>([&] {
      return detail::serve(core_, service.name(), Codec<Q>::info(), Codec<R>::info(), &verify_as<Q>,
                           detail::raw_handler<Q, R>(std::forward<F>(handler)), service.defaults().queue,
                           std::move(options));
    });
  }

  /// Calls `fn` once on the bus's executor; a delay below 0 counts as 0.
  [[nodiscard("dropping the Timer stops it")]] Timer after(Duration delay, Function<void()> fn) { return timer(delay, false, std::move(fn)); }
  /// Calls `fn` each period from now on, beats that were missed are skipped; a period below 1 us counts as 1 us.
  [[nodiscard("dropping the Timer stops it")]] Timer every(Duration period, Function<void()> fn) { return timer(period, true, std::move(fn)); }

  /// Refuses new work, also that of peers, handles what waits and what peers had put on the line, flushes links; what
  /// still waited in a peer's queue, or was only partly here, is counted as closed. What handlers publish and ask
  /// meanwhile goes, and is not waited for when it is a question; what timers publish by themselves does not. Nor does it
  /// wait for a Responder that somebody still holds, or a stream that goes on: `close` ends them, and their askers hear
  /// `peer_lost`. What another thread is just publishing with `one_thread` may still be taken behind it. Inside a handler it
  /// only starts: `drained` is an event. Descriptions are given until it is closed.
  Report drain(Duration duration) { return core_ ? detail::drain(*core_, duration) : Report{}; }
  /// Ends everything within `duration` + 200 ms, whatever peers and handlers do; names what is stuck. Inside a
  /// handler it only starts: a thread finishes it, on a driven executor the loop once all handlers have returned, and
  /// `closed` is an event; a drain that is under way may end first, within `duration` of the bus's time.
  Report close(Duration duration) { return core_ ? detail::close(*core_, duration) : Report{}; }

  /// A copy of every counter and limit; of a closed bus the last ones. Any thread, never waits for traffic.
  [[nodiscard]] Stats stats() const { return core_ ? detail::stats_of(*core_) : Stats{}; }
  /// The addresses its transports listen at, as others can dial them: a port of 0 is replaced by the one chosen.
  [[nodiscard]] std::vector<std::string> listening() const {
    return core_ ? detail::listening(*core_) : std::vector<std::string>{};
  }
  /// Inside.
  [[nodiscard]] const std::shared_ptr<detail::BusCore>& core() const noexcept { return core_; }
  /// As in BusOptions; lives as long as the bus.
  [[nodiscard]] std::string_view name() const noexcept { return core_ ? detail::name_of(*core_) : std::string_view{}; }

 private:
  explicit Bus(std::shared_ptr<detail::BusCore> core) noexcept : core_{std::move(core)} {}

  template <class T>
  static bool verify_as(std::span<const std::byte> bytes) noexcept {
    return Codec<T>::verify(bytes);
  }
  template <class Handle, class Make>
  Result<Handle> make(Make&& made) {
    if (!core_) return detail::closed_handle();
    auto core = made();
    if (!core) return core.error();
    return Handle{std::move(*core)};
  }
  template <class T, class F>
  Result<Subscription> subscribe_to(std::string name, const TopicDefaults& defaults, F&& handler,
                                    SubscribeOptions options) {
    static_assert(std::is_invocable_v<std::remove_cvref_t<F>&, const Message<T>&>,
                  "a handler takes (const Message<T>&) of the topic's type");
    detail::want_no_task<std::invoke_result_t<std::remove_cvref_t<F>&, const Message<T>&>>();
    return make<Subscription>([&] {
      detail::RawSubscription raw{std::move(name), &Codec<T>::info(), &verify_as<T>, defaults.queue,
                                  [handler = std::forward<F>(handler)](AnyMessage& any) mutable {
                                    // The message is lent for the call without counting a reference.
                                    Lent<T> message{any};
                                    handler(std::as_const(message.value));
                                  }};
      return detail::subscribe(core_, std::move(raw), std::move(options));
    });
  }
  template <class T>
  struct Lent {
    explicit Lent(const AnyMessage& from) noexcept : value{AnyMessage::adopt(from.envelope(), from.retained())} {}
    Lent(const Lent&) = delete;
    ~Lent() { static_cast<void>(value.disown()); }
    Message<T> value;
  };
  template <class T>
  Result<Inbox<T>> inbox_of(std::string name, const TopicDefaults& defaults, SubscribeOptions options) {
    return make<Inbox<T>>([&] {
      detail::RawSubscription raw{std::move(name), &Codec<T>::info(), &verify_as<T>, defaults.queue, {}};
      return detail::subscribe(core_, std::move(raw), std::move(options));
    });
  }
  Timer timer(Duration delay, bool repeat, Function<void()> fn) {
    return core_ ? Timer{detail::start_timer(core_, delay, repeat, std::move(fn))} : Timer{};
  }

  std::shared_ptr<detail::BusCore> core_;
};

}  // namespace v0
}  // namespace midplane
