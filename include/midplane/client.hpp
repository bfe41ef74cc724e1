#pragma once
/// Asking: every request ends exactly once, by its deadline at the latest, with a reply or an Error whose fate says
/// whether asking again is safe.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <midplane/awaitable.hpp>
#include <midplane/extend/balancer.hpp>
#include <midplane/extend/interceptor.hpp>
#include <midplane/message.hpp>
#include <midplane/names.hpp>
#include <midplane/publisher.hpp>
#include <midplane/result.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How a client asks.
struct ClientOptions {
  std::optional<Duration> timeout{};            ///< unset: the service's default (5 s)
  std::shared_ptr<Balancer> balancer{};         ///< null: near before far, in turn
  std::vector<std::shared_ptr<Interceptor>> interceptors{};  ///< around each request, in this order; none is null
  std::uint32_t pending = 4096;                 ///< requests without outcome; one more is answered `busy`
  bool wait_for_peers = true;                   ///< until the peers that are dialled were first linked; later `wait_server`
};

/// What one request has of its own.
struct RequestOptions {
  std::optional<Duration> timeout{};   ///< unset: the client's
  const Headers* headers = nullptr;  ///< copied; at most 16 entries and 4 KiB
};

/// What a client does on its own. Nothing is ever sent again.
struct Policy {
  Duration timeout{};  ///< of a request that names none
  std::uint32_t attempts_max = 1;  ///< how often a request is sent
};

namespace detail {

class ClientCore;

/// A request that was asked and its one outcome. Dropping it cancels.
class PendingHandle {
 public:
  PendingHandle() noexcept = default;
  PendingHandle(std::shared_ptr<ClientCore> client, void* call) noexcept : client_{std::move(client)}, call_{call} {}
  explicit PendingHandle(Error error) : error_{std::move(error)} {}
  PendingHandle(PendingHandle&& other) noexcept
      : client_{std::move(other.client_)}, call_{std::exchange(other.call_, nullptr)}, error_{std::move(other.error_)} {}
  PendingHandle& operator=(PendingHandle&& other) noexcept;
  ~PendingHandle();

  [[nodiscard]] bool ready() const noexcept;
  Result<AnyMessage> get() noexcept;
  void then(Function<void(Result<AnyMessage>)> fn);
  /// Streams: the next item; no value: the stream has ended well.
  Result<std::optional<AnyMessage>> next(Duration duration) noexcept;
  void when_next(Function<void(Result<std::optional<AnyMessage>>)> fn);
  /// Calls `fn` on the executor when there is an outcome; the handle stays and dropping it still cancels.
  void when_settled(Function<void(Result<AnyMessage>)> fn);

 private:
  void drop() noexcept;
  Result<AnyMessage> outcome() noexcept;
  [[nodiscard]] Error nothing_left() const noexcept;
  std::shared_ptr<ClientCore> client_;
  void* call_ = nullptr;
  std::optional<Error> error_;
};

[[nodiscard]] Sender& sender_of(ClientCore& core) noexcept;
PendingHandle request(const std::shared_ptr<ClientCore>& core, Draft& draft, const RequestOptions& options,
                      bool streaming) noexcept;
Result<void> wait_server(ClientCore& core, Duration duration);
void when_server(ClientCore& core, Function<void(Result<void>)> fn);
Policy policy_of(const ClientCore& core) noexcept;

/// A reply from another process is verified before anybody looks into it.
template <class R>
Result<Message<R>> checked(Result<AnyMessage> reply) {
  if (!reply) return reply.error();
  if (!reply->peer().empty() && !Codec<R>::verify(reply->bytes()))
    return malformed_bytes().with_fate(Fate::failed);
  return Message<R>{std::move(*reply)};
}

}  // namespace detail

/// The reply not yet here.
///
///     auto reply = client.request(ask).get();          // waits
///     client.request(ask).then([](auto reply) {...});  // called on the bus's executor
///     auto reply = co_await client.request(ask);       // resumes there
template <class R>
class [[nodiscard("dropping it cancels the request")]] Pending {
 public:
  Pending() noexcept = default;

  /// True once `get` will not wait.
  [[nodiscard]] bool ready() const noexcept { return handle_.ready(); }
  /// Waits for the outcome on the user's thread and takes it; a second time there is none, `closed` says so.
  /// `would_deadlock` is no outcome: the Pending stays valid.
  Result<Message<R>> get() { return detail::checked<R>(handle_.get()); }
  /// Hands the outcome to `fn` on the bus's executor; from then on the request is not cancelled by dropping this.
  template <class F>
  void then(F fn) && {
    handle_.then([fn = std::move(fn)](Result<AnyMessage> reply) mutable { fn(detail::checked<R>(std::move(reply))); });
  }

  /// A Pending that has a name is handed over.
  template <class F>
  void then(F) & {
    static_assert(!std::is_same_v<F, F>, "then takes the Pending along: std::move(pending).then(fn)");
  }

  /// Resumes on the bus's executor with what `get` answers.
  auto operator co_await() && noexcept {
    struct Awaiter {
      detail::PendingHandle handle;
      std::optional<Result<Message<R>>> result{};
      bool await_ready() const noexcept { return handle.ready(); }
      void await_suspend(std::coroutine_handle<> waiter) {
        handle.when_settled([this, waiter](Result<AnyMessage> reply) mutable {
          result.emplace(detail::checked<R>(std::move(reply)));
          waiter.resume();
        });
      }
      Result<Message<R>> await_resume() {
        return result ? std::move(*result) : detail::checked<R>(handle.get());
      }
    };
    return Awaiter{std::move(handle_)};
  }

  /// A Pending that has a name is handed over: `co_await std::move(pending)`.
  void operator co_await() & = delete;

  /// Inside.
  explicit Pending(detail::PendingHandle handle) noexcept : handle_{std::move(handle)} {}

 private:
  detail::PendingHandle handle_;
};

/// Many replies to one request, paced by the reader: the server may be 64 items ahead. Dropping it ends it early.
template <class R>
class [[nodiscard("dropping it ends the stream")]] Stream {
 public:
  Stream() noexcept = default;

  /// The next item, or nullopt at the end; waits up to `duration`. An Error is the end of the stream, except
  /// `timed_out` with fate not_started (the wait is over, not the stream) and `would_deadlock`.
  Result<std::optional<Message<R>>> next(Duration duration) { return typed(handle_.next(duration)); }
  /// The same for coroutines, without a limit of time but the request's own.
  /// The Stream stays where it is until then.
  Awaitable<Result<std::optional<Message<R>>>> next() {
    return Awaitable<Result<std::optional<Message<R>>>>{
        [this](Function<void(Result<std::optional<Message<R>>>)> done) {
          handle_.when_next([done = std::move(done)](Result<std::optional<AnyMessage>> item) mutable {
            done(typed(std::move(item)));
          });
        }};
  }

  /// Inside.
  explicit Stream(detail::PendingHandle handle) noexcept : handle_{std::move(handle)} {}

 private:
  static Result<std::optional<Message<R>>> typed(Result<std::optional<AnyMessage>> item) {
    if (!item) return item.error();
    if (!item->has_value()) return std::optional<Message<R>>{};
    auto message = detail::checked<R>(std::move(**item));
    if (!message) return message.error();
    return std::optional<Message<R>>{std::move(*message)};
  }
  detail::PendingHandle handle_;
};

/// The way to one service. Any thread; move-only; may outlive its bus: then every request is answered `closed`.
template <class Q, class R>
class Client {
 public:
  Client() noexcept = default;

  /// `value`: whatever `Publisher::publish` takes. Never waits; every error is the Pending's outcome.
  template <class V>
  Pending<R> request(V&& value, const RequestOptions& options = {}) {
    return Pending<R>{send(std::forward<V>(value), options, false)};
  }
  /// The server streams its replies. The timeout is for the whole stream: give one that lasts a longer one. Of a server
  /// that gives one reply the stream has that one, and ends `unsupported`.
  template <class V>
  Stream<R> open(V&& value, const RequestOptions& options = {}) {
    return Stream<R>{send(std::forward<V>(value), options, true)};
  }

  /// Waits until some server is known.
  Result<void> wait_server(Duration duration) {
    return core_ ? detail::wait_server(*core_, duration) : Result<void>{detail::closed_handle()};
  }
  /// The same as a callback on the bus's executor; `closed` when the bus closes first.
  void server(Function<void(Result<void>)> fn) {
    if (core_) detail::when_server(*core_, std::move(fn));
    else fn(detail::closed_handle());
  }
  /// The same for coroutines.
  Awaitable<Result<void>> server() {
    return Awaitable<Result<void>>{[core = core_](Function<void(Result<void>)> done) {
      if (core) detail::when_server(*core, std::move(done));
      else done(detail::closed_handle());
    }};
  }
  /// What this client does on its own.
  [[nodiscard]] Policy policy() const noexcept { return core_ ? detail::policy_of(*core_) : Policy{}; }

  /// Inside.
  explicit Client(std::shared_ptr<detail::ClientCore> core) noexcept : core_{std::move(core)} {}
  Client(Client&&) noexcept = default;
  Client& operator=(Client&&) noexcept = default;

 private:
  template <class V>
  detail::PendingHandle send(V&& value, const RequestOptions& options, bool streaming) {
    if (!core_) return detail::PendingHandle{detail::closed_handle()};
    detail::Draft draft{detail::sender_of(*core_), true};
    if (auto filled = detail::fill<Q, detail::Role::request>(draft, std::forward<V>(value)); !filled)
      return detail::PendingHandle{filled.error()};
    return detail::request(core_, draft, options, streaming);
  }
  std::shared_ptr<detail::ClientCore> core_;
};

}  // namespace v0
}  // namespace midplane
