#pragma once
/// Answering: a request must be answered exactly once, even when the handler forgets.

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <midplane/executors.hpp>
#include <midplane/message.hpp>
#include <midplane/options.hpp>
#include <midplane/publisher.hpp>
#include <midplane/result.hpp>
#include <midplane/stats.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// How requests wait and where they are answered.
struct ServeOptions {
  QueueChange queue{};  ///< what it changes of the bound of waiting requests (the overflow policy is always `busy`)
  std::shared_ptr<Executor> executor{};  ///< null: the bus's
  unsigned concurrency = 1;  ///< 1 to 1024; above 1 the handler runs concurrently with itself
};

/// What became of one item of a streamed reply.
enum class Streamed : std::uint8_t { queued, no_credit, gone };

namespace detail {

class ServerCore;

/// A request that was taken out of the queue, and the duty to answer it.
class Duty {
 public:
  Duty() noexcept = default;
  Duty(AnyMessage request, std::shared_ptr<ServerCore> server) noexcept
      : request_{std::move(request)}, server_{std::move(server)} {}
  Duty(Duty&&) noexcept = default;
  Duty& operator=(Duty&& other) noexcept;
  ~Duty();

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(request_); }
  [[nodiscard]] Sender& sender() const noexcept;
  Result<void> reply(Draft& draft) noexcept;
  Result<void> fail(const Error& error) noexcept;
  Result<Streamed> send(Draft& draft) noexcept;
  void when_writable(Function<void()> fn);
  /// Lets others have this worker first; on an executor without threads of its own, at once.
  void go_on_later(Function<void()> fn);
  Result<void> finish() noexcept;
  /// Reports the exception that is being handled and answers `handler_failed`.
  void threw() noexcept;
  /// Counts an answer that can not be sent, and reports the first of its server.
  void unsendable(const Error& why) const noexcept;

 private:
  AnyMessage request_;
  std::shared_ptr<ServerCore> server_;
};

[[nodiscard]] Error handler_threw() noexcept;

/// What `send_each` can take items from.
template <class F>
concept GivesItems = requires(F& next) {
  next().emplace(*next());
  static_cast<bool>(next());
};

[[nodiscard]] Duration remaining(const AnyMessage& request) noexcept;
[[nodiscard]] bool cancelled(const AnyMessage& request) noexcept;
void when_cancelled(const AnyMessage& request, Function<void()> fn);

class ServerHandle {
 public:
  ServerHandle() noexcept = default;
  explicit ServerHandle(std::shared_ptr<ServerCore> core) noexcept : core_{std::move(core)} {}
  ServerHandle(ServerHandle&&) noexcept = default;
  ServerHandle& operator=(ServerHandle&& other) noexcept;
  ~ServerHandle();
  [[nodiscard]] ServerCore* get() const noexcept { return core_.get(); }

 private:
  std::shared_ptr<ServerCore> core_;
};
SinkStats stats_of(ServerCore* core);

}  // namespace detail

/// What a handler that returns a `Result` answers with instead of a value: `app_error`, with its own code and words.
///
///     bus.serve(etas, [](const Request<EtaQuery>& asked) -> Result<EtaT> {
///       if (asked->van()->empty()) return app_error(404, "which van?");
///       return eta_of(*asked->van());
///     });
[[nodiscard]] Error app_error(std::int32_t code, std::string_view text);

/// A request as its handler sees it; may be copied and kept.
template <class Q>
class Request : public Message<Q> {
 public:
  using Message<Q>::Message;
  /// Time to the asker's deadline; zero when it has passed.
  [[nodiscard]] Duration remaining() const noexcept { return detail::remaining(*this); }
  /// True once nobody waits for an answer any more: the asker gave up, by cancel or by deadline, or was answered. Stop working.
  [[nodiscard]] bool cancelled() const noexcept { return detail::cancelled(*this); }
  /// Calls `fn` once when the asker gives up, on the thread that learns of it: not when it is answered while `fn` waits, and at
  /// once where `cancelled()` is true already.
  void on_cancel(Function<void()> fn) const { detail::when_cancelled(*this, std::move(fn)); }
  /// The asker's authenticated name; empty until links authenticate.
  [[nodiscard]] std::string_view principal() const noexcept { return {}; }
};

/// The duty to answer one request exactly once. Dropping it answers `abandoned`. Any thread, also after the handler.
template <class R>
class Responder {
 public:
  Responder() noexcept = default;
  /// `value`: whatever `Publisher::publish` takes. `closed`: it was answered already. An asker that gave up is no error:
  /// `Request::cancelled` tells.
  template <class V>
  Result<void> reply(V&& value) {
    if (!duty_) return detail::closed_handle();
    detail::Draft draft{duty_.sender(), true};
    if (auto filled = detail::fill<R, detail::Role::reply>(draft, std::forward<V>(value)); !filled) {
      duty_.unsendable(filled.error());
      static_cast<void>(duty_.fail(filled.error().with_fate(Fate::failed)));
      return filled;
    }
    return duty_.reply(draft);
  }
  /// Ends the request with `app_error` and the handler's own code and words.
  Result<void> fail(std::int32_t app_code, std::string_view text) { return fail(app_error(app_code, text)); }
  /// Ends the request with this error. `closed`: it was answered already.
  Result<void> fail(const Error& error) { return duty_ ? duty_.fail(error) : Result<void>{detail::closed_handle()}; }

  /// Inside.
  explicit Responder(detail::Duty duty) noexcept : duty_{std::move(duty)} {}
  /// Inside.
  void threw() noexcept { duty_.threw(); }
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;

 private:
  detail::Duty duty_;
};

/// Many replies to one request. Dropping it unfinished answers `abandoned`.
template <class R>
class StreamResponder {
 public:
  StreamResponder() noexcept = default;
  /// Look at what it answers: only a `queued` item is part of the stream. `no_credit`: the reader is 64 items behind and
  /// this item was not taken; `writable` tells when to send it again. `gone`: stop. An Error: it can not be sent; the
  /// stream is still open, so end it with `fail`, for a handler that just returns leaves it `abandoned`.
  template <class V>
  Result<Streamed> send(V&& value) {
    if (!duty_) return detail::closed_handle();
    detail::Draft draft{duty_.sender(), true};
    if (auto filled = detail::fill<R, detail::Role::reply>(draft, std::forward<V>(value)); !filled) {
      duty_.unsendable(filled.error());
      return filled.error();
    }
    return duty_.send(draft);
  }
  /// Calls `fn` once, when the next item may be sent or the reader is gone.
  void writable(Function<void()> fn) { duty_.when_writable(std::move(fn)); }
  /// Sends what `next()` returns, an optional of whatever `send` takes, as far as the reader has room, and goes on by
  /// itself when it makes some; finishes at the first nullopt. An item that can not be sent ends the stream with that
  /// error; it ends quietly when the reader is gone. `next` runs here, later on a worker or the thread that learns of room,
  /// one call at a time; after each 16 items a worker turns to others first.
  template <detail::GivesItems F>
  void send_each(F next) && {
    struct Going {
      Going(StreamResponder to, F from) : out{std::move(to)}, next{std::move(from)} {}
      // What says that there is room may be called at once, inside: one goes round, and once more for each that comes.
      static void on(const std::shared_ptr<Going>& self) {
        if (self->turns.fetch_add(1, std::memory_order_acq_rel) != 0) return;
        do self->send_some(self);
        while (self->turns.fetch_sub(1, std::memory_order_acq_rel) != 1);
      }
      void send_some(const std::shared_ptr<Going>& self) {
        constexpr unsigned items_at_once = 16;
        for (unsigned left = items_at_once; left != 0; --left) {
          if (!item && !take_next()) {
            static_cast<void>(out.finish());
            return;
          }
          const auto sent = out.send(*item);
          if (!sent && out.duty_) static_cast<void>(out.duty_.fail(sent.error().with_fate(Fate::failed)));
          if (!sent || *sent == Streamed::gone) return;
          if (*sent == Streamed::no_credit) return out.writable([self] { on(self); });
          item.reset();
        }
        out.duty_.go_on_later([self] { on(self); });
      }
      // The reader hears of what it throws wherever that happens.
      bool take_next() {
#ifdef __cpp_exceptions
        try {
          if (auto more = next()) item.emplace(*std::move(more));
        } catch (...) {
          static_cast<void>(out.duty_.fail(detail::handler_threw()));
          throw;
        }
#else
        if (auto more = next()) item.emplace(*std::move(more));
#endif
        return static_cast<bool>(item);
      }
      StreamResponder out;
      F next;
      decltype(next()) item{};
      std::atomic<int> turns{0};
    };
    Going::on(std::make_shared<Going>(std::move(*this), std::move(next)));
  }
  /// The responder goes along.
  template <class F>
  void send_each(F) & {
    static_assert(!std::is_same_v<F, F>, "send_each takes the responder along: std::move(out).send_each(next)");
  }
  /// Of no other function.
  template <class F>
  void send_each(F) && {
    static_assert(detail::GivesItems<F>, "send_each takes a function without arguments that returns std::optional of an item; std::nullopt ends the stream");
  }
  /// The stream has ended well, with the items that were `queued`: one that was answered `no_credit` and not sent again is
  /// not among them, and its reader does not learn of it. `closed`: it has ended already.
  Result<void> finish() { return duty_ ? duty_.finish() : Result<void>{detail::closed_handle()}; }
  /// The stream ends with `app_error`, behind the items that were sent.
  Result<void> fail(std::int32_t app_code, std::string_view text) {
    return duty_ ? duty_.fail(app_error(app_code, text)) : Result<void>{detail::closed_handle()};
  }

  /// Inside.
  explicit StreamResponder(detail::Duty duty) noexcept : duty_{std::move(duty)} {}
  StreamResponder(StreamResponder&&) noexcept = default;
  StreamResponder& operator=(StreamResponder&&) noexcept = default;

 private:
  detail::Duty duty_;
};

/// A service that is answered; dropping it withdraws it. The destructor waits for its handler like ~Subscription.
class [[nodiscard("dropping it withdraws the server")]] Server {
 public:
  Server() noexcept = default;
  /// Of its queue; zeros when it was moved from.
  [[nodiscard]] SinkStats stats() const { return detail::stats_of(handle_.get()); }

  /// Inside.
  explicit Server(std::shared_ptr<detail::ServerCore> core) noexcept : handle_{std::move(core)} {}

 private:
  detail::ServerHandle handle_;
};

namespace detail {

using RawHandler = Function<void(AnyMessage, std::shared_ptr<ServerCore>)>;

template <class A>
concept IsAwaitable = requires(A a) { a.await_ready(); } || requires(A a) { std::move(a).operator co_await(); } ||
                      requires(A a) { operator co_await(std::move(a)); };

/// Does not compile where a handler returns a task that would be thrown away.
template <class Returned>
constexpr void want_no_task() {
  if constexpr (!std::is_void_v<Returned>)
    static_assert(!IsAwaitable<Returned>, "nobody awaits what this handler returns: only a task of a handler of (const Request<Q>&) is "
                                          "run to its end; start yours inside the handler, in what runs by itself");
}

/// Answers with what a handler returned: a value, or a Result of one.
template <class R, class V>
void answer(Responder<R>& responder, V&& value) {
  if constexpr (requires { value.has_value(); value.error(); }) {
    if (value) static_cast<void>(responder.reply(*std::forward<V>(value)));
    else static_cast<void>(responder.fail(value.error().with_fate(Fate::failed)));
  } else {
    static_cast<void>(responder.reply(std::forward<V>(value)));
  }
}

/// Runs the user's task to its end; nobody waits for it but the asker.
struct Detached {
  struct promise_type {
    template <class F, class Q, class R>
    promise_type(F&, Request<Q>&, Responder<R>& responder) noexcept
        : failed{[](void* r) { static_cast<Responder<R>*>(r)->threw(); }},
          responder_{&responder} {}
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { failed(responder_); }
    void (*failed)(void*);
    void* responder_;
  };
};

template <class Q, class R, class F>
Detached run_task(std::shared_ptr<F> handler, Request<Q> request, Responder<R> responder) {
  answer(responder, co_await (*handler)(request));
}

// In the order of raw_handler: a generic lambda is only tried with what it may be meant for.
template <class Q, class R, class F>
inline constexpr bool streams = !std::disjunction_v<std::is_invocable<std::remove_cvref_t<F>&, const Request<Q>&>,
                                                    std::is_invocable<std::remove_cvref_t<F>&, Request<Q>, Responder<R>>>;

/// Any of the four handler styles as one.
template <class Q, class R, class F>
RawHandler raw_handler(F&& handler) {
  using Held = std::decay_t<F>;
  if constexpr (std::is_invocable_v<Held&, const Request<Q>&>) {
    using Returned = std::invoke_result_t<Held&, const Request<Q>&>;
    static_assert(!std::is_void_v<Returned>, "a handler of (const Request<Q>&) returns the reply, a Result of it or a task");
    if constexpr (IsAwaitable<Returned>) {
      return [handler = std::make_shared<Held>(std::forward<F>(handler))](AnyMessage message,
                                                                          std::shared_ptr<ServerCore> server) {
        Responder<R> responder{Duty{message, std::move(server)}};
        run_task<Q, R>(handler, Request<Q>{std::move(message)}, std::move(responder));
      };
    } else {
      return [handler = Held(std::forward<F>(handler))](AnyMessage message, std::shared_ptr<ServerCore> server) mutable {
        const Request<Q> request{message};
        Responder<R> responder{Duty{std::move(message), std::move(server)}};
        answer(responder, handler(request));
      };
    }
  } else if constexpr (std::is_invocable_v<Held&, Request<Q>, Responder<R>>) {
    want_no_task<std::invoke_result_t<Held&, Request<Q>, Responder<R>>>();
    return [handler = Held(std::forward<F>(handler))](AnyMessage message, std::shared_ptr<ServerCore> server) mutable {
      Responder<R> responder{Duty{message, std::move(server)}};
      handler(Request<Q>{std::move(message)}, std::move(responder));
    };
  } else {
    static_assert(std::is_invocable_v<Held&, Request<Q>, StreamResponder<R>>,
                  "a handler takes (const Request<Q>&), (Request<Q>, Responder<R>) or (Request<Q>, StreamResponder<R>)");
    want_no_task<std::invoke_result_t<Held&, Request<Q>, StreamResponder<R>>>();
    return [handler = Held(std::forward<F>(handler))](AnyMessage message, std::shared_ptr<ServerCore> server) mutable {
      StreamResponder<R> responder{Duty{message, std::move(server)}};
      handler(Request<Q>{std::move(message)}, std::move(responder));
    };
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace midplane
