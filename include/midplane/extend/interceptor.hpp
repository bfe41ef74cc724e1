#pragma once
/// May it cross, and how did it end: the seam for rights, limits, tracing and metrics around every message and request.

#include <cstdint>
#include <optional>
#include <string_view>

#include <midplane/headers.hpp>
#include <midplane/result.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Where something crosses: at the publisher, at the client that asks, at the server before its handler.
enum class CrossingKind : std::uint8_t { publish, request, serve };

/// What is about to cross; views end with the call.
struct Crossing {
  CrossingKind kind;  ///< which of them
  std::string_view name;         ///< topic or service
  const Headers* headers;        ///< null when there are none
  std::string_view peer;         ///< who sent it; empty: this bus
  std::uint32_t attempt = 1;     ///< requests: counts from 1
  Duration remaining{};          ///< requests: time to the deadline
};

/// `pass`, or `refuse` with a code: the caller gets it with fate not_started.
class Verdict {
 public:
  /// It may cross.
  static constexpr Verdict pass() noexcept { return Verdict{std::nullopt}; }
  /// It may not: the caller gets this code, with fate not_started.
  static constexpr Verdict refuse(ErrorCode code) noexcept { return Verdict{code}; }
  /// The code of a refusal.
  [[nodiscard]] constexpr std::optional<ErrorCode> refused() const noexcept { return refused_; }

 private:
  constexpr explicit Verdict(std::optional<ErrorCode> refused) noexcept : refused_{refused} {}
  std::optional<ErrorCode> refused_;
};

/// Law: both calls may come from any thread, never block and never call back into the bus. `leave` runs exactly once
/// for every `enter` that passed; of a publish and a request it knows kind and name only. A policy never moves a message:
/// it answers, the core acts.
class Interceptor {
 public:
  virtual ~Interceptor() = default;
  /// May it cross? Asked in the order of the options; the first refusal counts.
  [[nodiscard]] virtual Verdict enter(const Crossing& crossing) noexcept = 0;
  /// `error` is null when it went well.
  virtual void leave(const Crossing& crossing, const Error* error) noexcept = 0;
};

}  // namespace v0
}  // namespace midplane
